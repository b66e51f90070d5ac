from django.urls import path

from scans.dicomweb.search import SearchInstances, SearchSeries, Studies

STUDY = "studies/<str:study_instance_uid>"
SERIES = f"{STUDY}/series/<str:series_instance_uid>"

urlpatterns = [
    path("studies", Studies.as_view(), name="dicomweb-studies"),
    path("series", SearchSeries.as_view(), name="dicomweb-series-search"),
    path("instances", SearchInstances.as_view(), name="dicomweb-instances-search"),
    path(f"{STUDY}/series", SearchSeries.as_view(), name="dicomweb-series-of-study"),
    path(f"{STUDY}/instances", SearchInstances.as_view(), name="dicomweb-instances-of-study"),
    path(f"{SERIES}/instances", SearchInstances.as_view(), name="dicomweb-instances-of-series"),
]
