from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0020_service_account")]

    operations = [
        migrations.AddField(
            model_name="replay",
            name="role",
            field=models.IntegerField(
                choices=[(1, "Reader"), (2, "Member"), (3, "Manager")], default=1
            ),
        ),
    ]
