from django.db import migrations

from knowledge import holds


def renew(apps, schema_editor):
    """The triggers again, now also on runs."""
    holds.remove(schema_editor.connection)
    holds.install(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0014_sign_ins'),
    ]

    operations = [
        migrations.RunPython(renew, migrations.RunPython.noop),
    ]
