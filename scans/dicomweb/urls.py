from django.urls import path

from scans.dicomweb.stow import StoreInstances

urlpatterns = [
    path("studies", StoreInstances.as_view(), name="stow"),
    path("studies/<str:study_instance_uid>", StoreInstances.as_view(), name="stow-study"),
]
