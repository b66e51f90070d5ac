import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("inference", "0002_character"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SingleImage",
            fields=[
                ("id", models.UUIDField(default=core.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("state", models.CharField(choices=[("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed")], default="waiting", max_length=8)),
                ("stored", models.CharField(max_length=200)),
                ("rows", models.PositiveIntegerField()),
                ("columns", models.PositiveIntegerField()),
                ("in_hounsfield", models.BooleanField(default=False)),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("answer", models.JSONField(blank=True, default=dict)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("site", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.site")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["person", "-created_at"], name="single_image_of_person"),
                    models.Index(condition=models.Q(("state", "waiting")), fields=["asked_at"], name="single_image_waiting"),
                ],
            },
        ),
    ]
