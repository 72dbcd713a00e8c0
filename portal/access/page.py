"""The page of sign-in: plain, without a script, Chinese first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from jobs import origin
from jobs.access.caller import Caller, Role

ROLES_ZH = {
    Role.PUBLIC: "公众",
    Role.FAMILY: "家庭",
    Role.SENDER: "报送单位",
    Role.SCHOOL: "学校",
    Role.DISTRICT: "区教委",
    Role.CITY: "市教委",
    Role.STEWARD: "数据管理员",
}

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='7' fill='%231d4e63'/%3E"
    "%3Cpath d='M7 22v-6m6 6V10m6 12v-8m6 8v-4' stroke='%23fff' stroke-width='3' stroke-linecap='round'/%3E"
    "%3C/svg%3E"
)


def page(title_zh: str, title_en: str, sections: Iterable[str], *, is_synthetic: bool) -> str:
    """A page of the site with sections of ready HTML."""
    banner = f'<p class="origin" role="note"><span class="frame">{origin.LINE}</span></p>'
    return f"""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>登录 · {escape(title_zh)}</title>
<link rel="icon" href="{_ICON}">
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
{banner if is_synthetic else ""}
<header class="top"><div class="frame"><div class="name">
<p class="kicker">登录 Sign in</p>
<h1><a href="/">{escape(title_zh)}</a></h1>
</div><div class="tools"><nav><a href="/">首页 Home</a></nav></div></div></header>
<main id="main" class="frame">
{"".join(sections)}
</main>
<footer class="frame">{escape(title_en)}</footer>
</body>
</html>
"""


def notice(zh: str, en: str) -> str:
    """A word on what went wrong."""
    return f'<section><div class="notice" role="alert"><p>{escape(zh)}</p><p>{escape(en)}</p></div></section>'


def signed_in(caller: Caller, csrf: str) -> str:
    """Who is signed in, and the way out."""
    who = escape(caller.name or caller.subject)
    return f"""<section aria-labelledby="in"><div class="lead"><h2 id="in">已登录</h2><p>Signed in</p></div>
<p>{who}（{ROLES_ZH[caller.role]}{" " + escape(caller.unit_code) if caller.unit_code else ""}）</p>
<form method="post" action="/sign-out" class="actions">
<input type="hidden" name="csrf_token" value="{escape(csrf)}">
<button type="submit">退出登录 Sign out</button> <a class="button" href="/">进入首页 Home</a>
</form></section>"""


def by_provider(button_zh: str) -> str:
    """The way to the provider of identities."""
    return f"""<section aria-labelledby="people"><div class="lead"><h2 id="people">工作人员登录</h2>
<p>Officials and schools</p></div>
<p class="actions"><a class="button" href="/sign-in/start">{escape(button_zh)}</a></p></section>"""


def by_code() -> str:
    """Where a family types its code."""
    return """<section aria-labelledby="family"><div class="lead"><h2 id="family">家长查询</h2>
<p>Families, by the code that the school handed out</p></div>
<form method="post" action="/sign-in/code" class="actions">
<label>查询码 Code <input name="code" autocomplete="one-time-code" autocapitalize="characters" maxlength="40"
 placeholder="XXXX-XXXX-XXXX-XXXX" required></label>
<button type="submit">查询 Sign in</button>
</form></section>"""


def by_demonstration(people: Mapping[str, Caller]) -> str:
    """The people of a made-up city, to be picked from a list."""
    buttons = "".join(
        f'<li><button type="submit" name="subject" value="{escape(subject)}">{escape(caller.name)}</button>'
        f' <span class="about">{ROLES_ZH[caller.role]}</span></li>'
        for subject, caller in people.items()
    )
    return f"""<section aria-labelledby="demo"><div class="lead"><h2 id="demo">演示账号</h2>
<p>Demonstration: only a made-up city has these, without a password</p></div>
<form method="post" action="/sign-in/demonstration" class="platform"><ul>{buttons}</ul></form>
<p class="about">不登录即以公众身份浏览。Who does not sign in is the public.</p></section>"""
