from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import audit  # noqa: PLC0415 - models are not loaded before this

        audit.connect()
