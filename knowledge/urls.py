"""Every route of the project."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from knowledge.api import api
from knowledge.views import (
    answers,
    audit,
    documents,
    entrance,
    factors,
    health,
    matters,
    members,
    runs,
    search,
    searches,
    sessions,
    tokens,
    viewer,
    walls,
    webhooks,
)


def _with_own_sign_in(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The API answers 401 by itself; the login page is for browsers."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            login_not_required(pattern.callback)
    return patterns


_api_patterns, _app_name, _namespace = api.urls

# Where clients of the OpenAI wire format look for them.
_chat_patterns = [each for each in _api_patterns if str(each.pattern) in {"models", "chat/completions"}]

urlpatterns = [
    path("login/", entrance.SignIn.as_view(), name="login"),
    path("login/second/", entrance.second_step, name="second_step"),
    path("login/oidc/", entrance.single_sign_on, name="oidc"),
    path("login/oidc/callback/", entrance.back_from_provider, name="oidc_callback"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("health/", health.health, name="health"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/<int:token_id>/revoke/", tokens.revoke, name="token_revoke"),
    path("", matters.index, name="matters"),
    path("matters/<uuid:matter_id>/", matters.matter, name="matter"),
    path("matters/<uuid:matter_id>/documents/", documents.documents, name="documents"),
    path("matters/<uuid:matter_id>/retry-failed/", documents.retry_failed, name="retry_failed"),
    path("matters/<uuid:matter_id>/pause/", matters.pause, name="pause"),
    path("matters/<uuid:matter_id>/warm/", matters.warm, name="warm"),
    path("matters/<uuid:matter_id>/search/", search.search, name="search"),
    path("matters/<uuid:matter_id>/search/report/", searches.report, name="search_report"),
    path("matters/<uuid:matter_id>/searches/", searches.save, name="save_search"),
    path("searches/<uuid:search_id>/delete/", searches.forget, name="forget_search"),
    path("matters/<uuid:matter_id>/ask/", answers.ask, name="ask"),
    path("matters/<uuid:matter_id>/members/", members.members, name="members"),
    path("matters/<uuid:matter_id>/access/", walls.page, name="matter_access"),
    path("matters/<uuid:matter_id>/groups/", walls.groups, name="groups"),
    path("matters/<uuid:matter_id>/walls/", walls.raise_wall, name="raise_wall"),
    path("matters/<uuid:matter_id>/hold/", walls.hold, name="hold"),
    path("walls/<uuid:wall_id>/lift/", walls.lift, name="lift_wall"),
    path("matters/<uuid:matter_id>/webhooks/", webhooks.page, name="webhooks"),
    path("webhooks/<uuid:webhook_id>/delete/", webhooks.delete, name="webhook_delete"),
    path("deliveries/<uuid:delivery_id>/replay/", webhooks.replay, name="delivery_replay"),
    path("matters/<uuid:matter_id>/runs/", runs.index, name="runs"),
    path("matters/<uuid:matter_id>/runs/estimate/", runs.estimate, name="run_estimate"),
    path("matters/<uuid:matter_id>/runs/begin/", runs.begin, name="run_begin"),
    path("runs/<uuid:run_id>/", runs.run, name="run"),
    path("runs/<uuid:run_id>/body/", runs.body, name="run_body"),
    path("runs/<uuid:run_id>/table/", runs.table, name="run_table"),
    path("runs/<uuid:run_id>/stream/", runs.stream, name="run_stream"),
    path("runs/<uuid:run_id>/control/", runs.control, name="run_control"),
    path("runs/<uuid:run_id>/verdicts/<uuid:document_id>/", runs.settle, name="run_settle"),
    path("answers/<uuid:answer_id>/", answers.answer, name="answer"),
    path("answers/<uuid:answer_id>/body/", answers.body, name="answer_body"),
    path("answers/<uuid:answer_id>/stream/", answers.stream, name="answer_stream"),
    path("documents/<uuid:document_id>/", viewer.document, name="document"),
    path("documents/<uuid:document_id>/file/", documents.file, name="document_file"),
    path("documents/<uuid:document_id>/picture/", viewer.picture, name="document_picture"),
    path("documents/<uuid:document_id>/reading/", answers.reading, name="document_reading"),
    path("documents/<uuid:document_id>/retry/", documents.retry, name="document_retry"),
    path("documents/<uuid:document_id>/cancel/", documents.cancel, name="document_cancel"),
    path("documents/<uuid:document_id>/delete/", documents.delete, name="document_delete"),
    path("sessions/", sessions.index, name="sessions"),
    path("sessions/others/end/", sessions.end_others, name="end_sessions"),
    path("sessions/<int:sign_in_id>/end/", sessions.end, name="end_session"),
    path("sessions/confirm/", entrance.confirm, name="confirm"),
    path("factors/", factors.index, name="factors"),
    path("factors/app/", factors.app, name="factor_app"),
    path("factors/key/", factors.key, name="factor_key"),
    path("factors/codes/", factors.codes, name="factor_codes"),
    path("factors/<int:factor_id>/remove/", factors.remove, name="factor_remove"),
    path("audit/", audit.events, name="audit"),
    path("audit/export.csv", audit.exported, {"form": "csv"}, name="audit_csv"),
    path("audit/export.jsonl", audit.exported, {"form": "jsonl"}, name="audit_jsonl"),
    path("api/v1/", include((_with_own_sign_in(_api_patterns), _app_name), namespace=_namespace)),
    path("v1/", include(_chat_patterns)),
    path("admin/", admin.site.urls),
]
