from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"

    def ready(self) -> None:
        from patients import timeline  # noqa: PLC0415 - models are not loaded before this
        from reports import timeline as ours  # noqa: PLC0415

        timeline.register("studies", ours.studies)
        timeline.register("reports", ours.reports)
