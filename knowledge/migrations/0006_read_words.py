"""What is already there is read for exact search."""

from django.db import migrations

from knowledge.exact import reading


def read_words(apps, schema_editor):
    version, page, wording = (apps.get_model("knowledge", name) for name in ("Version", "Page", "Wording"))
    for pk in version.objects.filter(wording=None, current_of__isnull=False).values_list("pk", flat=True):
        pages = page.objects.filter(version=pk).values_list("number", "start", "text", "kind", named=True)
        wording.objects.create(version_id=pk, **reading.columns(list(pages)))


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0005_wording'),
    ]

    operations = [
        migrations.RunPython(read_words, migrations.RunPython.noop),
    ]
