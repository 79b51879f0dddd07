from django.db import migrations, models


class Migration(migrations.Migration):
    """The columns of a run may be empty: SQLite would make its table anew otherwise, without its triggers."""

    dependencies = [("knowledge", "0024_forgetting")]

    operations = [
        migrations.AddField("run", "prompt_tokens", models.PositiveBigIntegerField(null=True)),
        migrations.AddField("run", "cached_tokens", models.PositiveBigIntegerField(null=True)),
        migrations.AddField("verdict", "model", models.CharField(blank=True, db_default="", max_length=200)),
        migrations.AddField("verdict", "prompt_tokens", models.PositiveIntegerField(null=True)),
        migrations.AddField("verdict", "cached_tokens", models.PositiveIntegerField(null=True)),
        migrations.AddField("verdict", "generator_seconds", models.FloatField(null=True)),
    ]
