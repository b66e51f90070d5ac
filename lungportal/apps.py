from django.apps import AppConfig


class LungportalConfig(AppConfig):
    name = "lungportal"

    def ready(self) -> None:
        """Make our Celery application the current one in every process that has Django."""
        import lungportal.celery  # noqa: F401, PLC0415
