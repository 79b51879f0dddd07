from django.db import migrations

from knowledge import holds


def renew(apps, schema_editor):
    """The triggers again: SQLite made the table of versions anew for its new column, without its trigger."""
    holds.remove(schema_editor.connection)
    holds.install(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0017_reason'),
    ]

    operations = [
        migrations.RunPython(renew, migrations.RunPython.noop),
    ]
