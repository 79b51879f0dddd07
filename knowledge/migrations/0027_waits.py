from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0026_forgetting_failed")]

    operations = [
        migrations.AddField("verdict", "waits", models.PositiveIntegerField(db_default=0, default=0)),
    ]
