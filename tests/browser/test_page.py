# SPDX-License-Identifier: MIT
"""The page in a real browser, on a desk and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.docs.test_asyncapi import NAMES

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

DESK, PHONE = 1280, 360
WIDTHS = pytest.mark.parametrize("width", [DESK, PHONE])
COMMAND = "nats req 'lfx.auth-service.email_to_sub' 'ada@example.org'"


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def focused(browser: Browser, what: str) -> str:
    return browser.run(f"return String(document.activeElement.{what})")


def background(browser: Browser) -> str:
    return browser.run("return getComputedStyle(document.body).backgroundColor")


def is_shown(browser: Browser, selector: str) -> bool:
    return browser.run("return document.querySelector(arguments[0]).checkVisibility()", selector)


@WIDTHS
def test_nothing_stands_on_the_console(browser: Browser, width: int) -> None:
    browser.open(width=width)
    assert browser.complaints() == []


@WIDTHS
def test_nothing_is_asked_of_anybody_else(browser: Browser, width: int) -> None:
    browser.open(width=width)
    assert browser.requested() == {"/docs", "/docs/page.css", "/docs/page.js", "/docs/icon.svg"}


@WIDTHS
def test_every_subject_is_seen(browser: Browser, width: int) -> None:
    browser.open(width=width)
    seen = browser.run(
        "return [...document.querySelectorAll('article')]"
        ".filter(a => a.checkVisibility() && a.clientHeight > 0).map(a => a.id)"
    )
    assert seen == [*NAMES, "user_profile.updated", "UserMetadata"]


@pytest.mark.parametrize("width", [320, PHONE, 700, 1024, DESK, 1920])
def test_nothing_scrolls_sideways(browser: Browser, width: int) -> None:
    browser.open(width=width)
    browser.run("scrollTo({left: 1000})")
    assert browser.run("return scrollX") == 0
    assert browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@WIDTHS
def test_no_text_sticks_out_of_the_screen(browser: Browser, width: int) -> None:
    browser.open(width=width)
    wide = browser.run(
        "return [...document.querySelectorAll('main *')]"
        ".filter(e => !e.closest('pre') && e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)"
        ".filter(e => !e.closest('thead')).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []


@WIDTHS
def test_a_link_leads_to_its_subject(browser: Browser, width: int) -> None:
    browser.open("/docs#password.update", width=width)
    top = browser.run("return document.getElementById('password.update').getBoundingClientRect().top")
    assert 52 <= top < 120


def test_the_contents_follow_the_reader(browser: Browser) -> None:
    browser.open("/docs#user_identity.unlink", width=DESK)
    WebDriverWait(browser.driver, 5).until(lambda _: browser.run("return document.querySelector('[data-current]')"))
    current = browser.run("return [...document.querySelectorAll('[data-current]')].map(a => a.hash)")
    assert current == ["#user_identity.unlink"]


def test_the_contents_are_folded_on_a_phone_and_open_at_a_touch(browser: Browser) -> None:
    browser.open(width=PHONE)
    assert not is_shown(browser, "nav a[href='#add_alias']")
    browser.run("document.querySelector('#contents summary').click()")
    assert is_shown(browser, "nav a[href='#add_alias']")
    browser.run("document.querySelector(\"nav a[href='#add_alias']\").click()")
    assert not is_shown(browser, "nav a[href='#add_alias']")


def test_the_first_key_offers_to_skip_to_the_content(browser: Browser) -> None:
    browser.open(width=DESK)
    press(browser, Keys.TAB)
    assert focused(browser, "textContent") == "Skip to the content"
    assert browser.run("return document.activeElement.getBoundingClientRect().top") >= 0
    press(browser, Keys.ENTER)
    assert focused(browser, "id") == "main"


def test_every_control_can_be_reached_with_the_keyboard_and_is_marked(browser: Browser) -> None:
    browser.open(width=DESK)
    controls = browser.run(
        "return [...document.querySelectorAll('a, button, pre')].filter(e => e.checkVisibility()).length"
    )
    reached = unmarked = 0
    for _ in range(controls):
        press(browser, Keys.TAB)
        reached += focused(browser, "matches('a, button, pre')") == "true"
        unmarked += browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "none"
    assert (reached, unmarked) == (controls, 0)


def test_a_command_is_copied_with_the_keyboard(browser: Browser) -> None:
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": browser.origin}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    browser.open(width=DESK)
    browser.run("document.querySelector('[data-copies=\"send-email_to_sub\"]').focus()")
    press(browser, Keys.ENTER)
    WebDriverWait(browser.driver, 5).until(lambda _: focused(browser, "textContent") == "Copied")
    assert browser.run("return document.getElementById('status').textContent") == "Copied"
    assert browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == COMMAND


def test_a_command_is_copied_where_browsers_offer_no_clipboard(browser: Browser) -> None:
    browser.open(width=DESK)
    browser.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    browser.run("document.addEventListener('copy', () => { window.copied = String(getSelection()) })")
    browser.driver.find_element("css selector", '[data-copies="send-email_to_sub"]').click()
    assert browser.run("return window.copied") == COMMAND
    assert focused(browser, "textContent") == "Copied"


@pytest.mark.parametrize(("dark", "colour"), [(False, "rgb(252, 252, 251)"), (True, "rgb(20, 24, 28)")])
def test_the_colours_are_those_of_the_system(browser: Browser, dark: bool, colour: str) -> None:  # noqa: FBT001
    browser.open(width=DESK, dark=dark)
    assert background(browser) == colour


@WIDTHS
def test_a_theme_that_was_chosen_is_remembered(browser: Browser, width: int) -> None:
    browser.open(width=width)
    button = browser.driver.find_element("id", "theme")
    assert (button.text, button.accessible_name) == ("Dark", "Use the dark theme")
    button.click()
    assert background(browser) == "rgb(20, 24, 28)"
    browser.open(width=width)
    assert background(browser) == "rgb(20, 24, 28)"
    browser.driver.find_element("id", "theme").click()
    assert background(browser) == "rgb(252, 252, 251)"


def test_it_is_whole_without_a_script(browser: Browser) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.open(width=PHONE)
    assert len([a for a in browser.driver.find_elements("css selector", "article") if a.is_displayed()]) == 18
    assert browser.driver.find_element("css selector", "nav a[href='#add_alias']").is_displayed()
    assert [b for b in browser.driver.find_elements("css selector", "button") if b.is_displayed()] == []


def test_what_is_printed_is_the_text_alone(browser: Browser) -> None:
    browser.open(width=DESK, dark=True)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert background(browser) == "rgb(255, 255, 255)"
    assert [part for part in (".bar", ".contents", ".button", ".anchor", ".skip") if is_shown(browser, part)] == []


def pale(browser: Browser) -> list[str]:
    """The texts with less contrast than WCAG 2.2 asks for (4.5 to 1)."""
    return browser.run(
        """
        const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const rgb = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        const light = (colour) => rgb(colour).map((c) => c / 255)
          .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
          .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
          if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'white'; };
        const found = new Set();
        for (const e of document.querySelectorAll('main *:not(.anchor)')) {
          if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
          const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) found.add(e.tagName + '.' + e.className);
        }
        return [...found];
        """
    )


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_its_ground(browser: Browser, dark: bool) -> None:  # noqa: FBT001
    browser.open(width=DESK, dark=dark)
    assert pale(browser) == []
