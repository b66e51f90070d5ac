from django.urls import URLPattern, path
from django.views import View

from core.audit import audited_once_per
from scans.dicomweb.frames import RetrieveBulkData, RetrieveFrames
from scans.dicomweb.metadata import InstanceMetadata, SeriesMetadata, StudyMetadata
from scans.dicomweb.rendered import (
    InstanceThumbnail,
    RenderedInstance,
    RenderedSeries,
    RenderedStudy,
    SeriesThumbnail,
    StudyThumbnail,
)
from scans.dicomweb.retrieve import RetrieveInstance, RetrieveSeries, StudyOrStore
from scans.dicomweb.search import SearchInstances, SearchSeries, Studies

STUDY = "studies/<str:study_instance_uid>"
SERIES = f"{STUDY}/series/<str:series_instance_uid>"
INSTANCE = f"{SERIES}/instances/<str:sop_instance_uid>"
FRAMES = f"{INSTANCE}/frames/<str:frames>"


def piecewise(route: str, view: type[View], name: str) -> URLPattern:
    """A resource that viewers ask for again and again: one look at a study is recorded in a while."""
    looked_at = audited_once_per(minutes=10)(view.as_view())
    return path(route, looked_at, name=f"dicomweb-{name}")


urlpatterns = [
    path("studies", Studies.as_view(), name="dicomweb-studies"),
    path("series", SearchSeries.as_view(), name="dicomweb-series-search"),
    path("instances", SearchInstances.as_view(), name="dicomweb-instances-search"),
    path(f"{STUDY}/series", SearchSeries.as_view(), name="dicomweb-series-of-study"),
    path(f"{STUDY}/instances", SearchInstances.as_view(), name="dicomweb-instances-of-study"),
    path(f"{SERIES}/instances", SearchInstances.as_view(), name="dicomweb-instances-of-series"),
    path(STUDY, StudyOrStore.as_view(), name="dicomweb-study"),
    path(SERIES, RetrieveSeries.as_view(), name="dicomweb-series"),
    piecewise(INSTANCE, RetrieveInstance, "instance"),
    path(f"{STUDY}/metadata", StudyMetadata.as_view(), name="dicomweb-study-metadata"),
    piecewise(f"{SERIES}/metadata", SeriesMetadata, "series-metadata"),
    piecewise(f"{INSTANCE}/metadata", InstanceMetadata, "instance-metadata"),
    piecewise(FRAMES, RetrieveFrames, "frames"),
    piecewise(f"{INSTANCE}/bulkdata/<str:tag>", RetrieveBulkData, "bulkdata"),
    piecewise(f"{STUDY}/rendered", RenderedStudy, "study-rendered"),
    piecewise(f"{SERIES}/rendered", RenderedSeries, "series-rendered"),
    piecewise(f"{INSTANCE}/rendered", RenderedInstance, "rendered"),
    piecewise(f"{FRAMES}/rendered", RenderedInstance, "frame-rendered"),
    piecewise(f"{STUDY}/thumbnail", StudyThumbnail, "study-thumbnail"),
    piecewise(f"{SERIES}/thumbnail", SeriesThumbnail, "series-thumbnail"),
    piecewise(f"{INSTANCE}/thumbnail", InstanceThumbnail, "thumbnail"),
    piecewise(f"{FRAMES}/thumbnail", InstanceThumbnail, "frame-thumbnail"),
]
