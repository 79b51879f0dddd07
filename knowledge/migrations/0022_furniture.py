from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0021_replay_role")]

    operations = [
        migrations.AddField("page", "head", models.PositiveIntegerField(default=0)),
        migrations.AddField("page", "foot", models.PositiveIntegerField(default=0)),
    ]
