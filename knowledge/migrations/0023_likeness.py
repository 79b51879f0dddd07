from itertools import islice

import django.db.models.deletion
from django.db import migrations, models

PAGE = 1_000
QUARTER = 16  # bits


def fill(apps, schema_editor):
    """The quarters of every fingerprint there is."""
    version, likeness = apps.get_model("knowledge", "Version"), apps.get_model("knowledge", "Likeness")
    rows = version.objects.filter(fingerprint__isnull=False).values_list("pk", "document__matter", "fingerprint")
    made = (
        likeness(matter_id=matter, version_id=pk, key=place << QUARTER | mark >> place * QUARTER & 0xFFFF)
        for pk, matter, mark in rows.iterator(chunk_size=PAGE)
        for place in range(4)
    )
    while some := list(islice(made, PAGE)):
        likeness.objects.bulk_create(some)


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0022_furniture")]

    operations = [
        migrations.CreateModel(
            "Likeness",
            [
                ("id", models.BigAutoField(
 auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.PositiveIntegerField()),
                (
                    "matter",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="knowledge.matter",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="likenesses",
                        to="knowledge.version",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["matter", "key"], name="likeness_in_matter")]},
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
