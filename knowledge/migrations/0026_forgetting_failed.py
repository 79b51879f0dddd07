from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0025_opinion")]

    operations = [migrations.AddField("forgetting", "failed", models.DateTimeField(null=True))]
