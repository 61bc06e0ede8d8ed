"""Titles of pages: an effect over HTTPS."""

import html
import re
from typing import Optional

from homestar import https, task


@task(raises=https.Error)
def title(url: str) -> Optional[str]:
    """The title of the page at `url`, if it has one."""
    page = https.get(url).text()
    found = re.search(r"<title>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    return " ".join(html.unescape(found[1]).split()) if found else None
