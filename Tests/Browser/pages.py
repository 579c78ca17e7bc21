#!/usr/bin/env python3
"""Looks at every page of a hub in a real browser, on a phone and at a desk, in light and in dark, and does on each what a
person would do there. Prints what is wrong, a line each, and ends with 1 if anything is.

usage: pages.py ADDRESS USER PASSWORD [--pictures FOLDER]

The hub must have stores with forecasts, an approved device and one that waits for approval, a rollout that goes on, a
family with packages, an open alert and nobody who is told of it, and the user must be an operator."""

import argparse
import sys

from chromium import Chromium

SCREENS = [("desk", 1280, 800, False), ("desk-dark", 1280, 800, True), ("phone", 390, 844, False),
           ("phone-dark", 390, 844, True), ("wall", 2560, 1440, True)]
# The pages kept as pictures, and on which screens.
KEPT = {"overview": ["desk", "phone-dark"], "item": ["desk-dark"]}


class Check:
    def __init__(self, arguments):
        self.address, self.user, self.password = arguments.address.rstrip("/"), arguments.user, arguments.password
        self.pictures = arguments.pictures
        self.problems = []
        self.count = 0
        self.browser = Chromium()

    def expect(self, what, holds):
        self.count += 1
        if not holds:
            self.problems.append(f"{self.browser.ask('location.pathname')}: {what}")

    def run(self):
        self.sign_in()
        addresses = self.addresses()
        self.silence(addresses)
        self.destination(addresses)
        for screen, width, height, dark in SCREENS:
            self.browser.screen(width, height, dark)
            for name, path in addresses.items():
                self.look(name, path, screen, width)
        self.browser.screen(1280, 800, False)
        self.interactions(addresses)
        self.without_script(addresses)
        self.sign_out()

    # Every page

    def sign_in(self):
        ask, browser = self.browser.ask, self.browser
        browser.screen(390, 844, False)
        browser.go(self.address + "/stores?days=all")
        self.expect("who is not signed in comes to the sign-in page", ask("location.pathname") == "/sign-in")
        self.plain("sign-in", 390)
        self.expect("the first field has the focus", ask("document.activeElement.name") == "name")
        self.fill(self.user, "not the password")
        browser.act("the wrong password is answered", "document.querySelector('main form').requestSubmit()")
        self.expect("a wrong password is said so", ask("document.querySelector('[role=alert]') !== null"))
        browser.take_troubles()  # the browser notes the refusal itself
        self.fill(self.user, self.password)
        browser.act("signed in", "document.querySelector('main form').requestSubmit()")
        self.expect("it goes on to the page that was asked for", ask("location.pathname + location.search") == "/stores?days=all")

    def fill(self, name, password):
        for field, text in [("name", name), ("password", password)]:
            self.browser.ask(f"document.querySelector('[name={field}]').value = {text!r}")

    def link(self, page, pattern):
        """The first link on a page whose path matches."""
        self.browser.go(self.address + page)
        found = self.browser.ask(
            f"[...document.querySelectorAll('main a')].map(a => a.pathname).find(p => /{pattern}/.test(p)) || ''")
        self.expect(f"there is a link like {pattern}", found != "")
        return found

    def addresses(self):
        store = self.link("/stores", "^\\/stores\\/[^/]+$")
        return {
            "overview": "/", "alerts": "/alerts", "alert": self.link("/alerts", "^\\/alerts\\/[0-9]+$"),
            "silences": "/alerts/silences", "destinations": "/alerts/destinations", "stores": "/stores", "store": store,
            "item": self.link(store, "^\\/stores\\/[^/]+\\/items\\/"), "fleet": "/fleet",
            "device": self.link("/fleet?status=approved", "^\\/fleet\\/"), "rollouts": "/rollouts",
            "rollout": self.link("/rollouts", "^\\/rollouts\\/[0-9]+$"), "models": "/models",
            "model": self.link("/models", "^\\/models\\/"), "audit": "/audit",
        }

    def look(self, name, path, screen, width):
        self.browser.go(self.address + path)
        self.plain(name, width)
        if self.pictures and (self.pictures.startswith("all:") or screen in KEPT.get(name, [])):
            folder = self.pictures.removeprefix("all:")
            self.browser.picture(f"{folder}/{name}-{screen}.png", full=self.pictures.startswith("all:"))

    def plain(self, name, width):
        """What holds of every page."""
        ask = self.browser.ask
        troubles = self.browser.take_troubles()
        self.expect(f"nothing on the console: {troubles}", not troubles)
        self.expect(
            f"{name} is no wider than the screen: {ask('document.documentElement.scrollWidth')} > {width}",
            ask("document.documentElement.scrollWidth") <= width)
        self.expect("one heading of the first rank", ask("document.querySelectorAll('h1').length") == 1)
        self.expect("a title", len(ask("document.title")) > 12)
        self.expect("the style is there", ask("getComputedStyle(document.body).margin") == "0px")
        self.expect("figures are named", ask("[...document.querySelectorAll('svg')].every(s => s.ariaLabel || s.ariaHidden)"))
        self.expect("fields are named", ask(
            "[...document.querySelectorAll('main :is(input:not([type=hidden]), select, textarea)')]"
            ".every(i => i.ariaLabel || i.labels.length > 0)"))
        self.expect("what describes a field is there, once", ask("""[...document.querySelectorAll('[aria-describedby]')]
            .flatMap(e => e.getAttribute('aria-describedby').split(' '))
            .every(id => document.querySelectorAll('#' + CSS.escape(id)).length === 1)"""))
        small = ask("""[...document.querySelectorAll('main :is(button, input:not([type=hidden]), select, textarea)')]
            .map(e => e.type === 'checkbox' ? e.closest('label') : e)
            .filter(e => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 24).map(e => e.outerHTML)""")
        self.expect(f"nothing is too small for a finger: {small}", not small)
        self.expect("no heading is skipped", ask(
            "[...document.querySelectorAll('h1,h2,h3')].every((h, i, all) => i === 0 || h.tagName[1] - all[i - 1].tagName[1] <= 1)"))
        self.expect("every table has headings", ask(
            "[...document.querySelectorAll('table')].every(t => t.querySelectorAll('thead th[scope=col]').length > 1)"))
        self.expect("no undefined figure", not ask("/\\b(nan|inf|nil|undefined)\\b|Optional\\(/.test(document.querySelector('main').innerText)"))
        cut = ask("""[...document.querySelectorAll('.tiles dd, h1, h2, .bar a, button')]
            .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline').map(e => e.innerText)""")
        self.expect(f"nothing is cut off: {cut}", not cut)

    # What a person does

    def interactions(self, addresses):
        browser, ask = self.browser, self.browser.ask
        go = lambda name: browser.go(self.address + addresses[name])  # noqa: E731

        go("overview")
        browser.key("Tab", 9)
        self.expect("the first Tab comes to the way past the menu", ask("document.activeElement.className") == "skip")
        self.expect("where the focus is can be seen", ask("document.activeElement.getBoundingClientRect().left >= 0"))
        browser.key("Tab", 9)
        self.expect("a link with the focus has an outline", ask("getComputedStyle(document.activeElement).outlineStyle") == "solid")
        browser.act("another range", "document.querySelector('.ranges a[href*=all]').click()")
        self.expect("the range is marked", ask("document.querySelector('.ranges [aria-current]').innerText") == "all days")
        ask("document.querySelector('details').open = true")
        self.expect("every day as figures", ask("document.querySelectorAll('details tbody tr').length") > 0)

        go("stores")
        order = "[...document.querySelectorAll('tbody tr')].map(r => Number(r.cells[2].innerText))"
        browser.act("sorted", "[...document.querySelectorAll('thead a')].find(a => a.innerText.startsWith('WAPE')).click()")
        wape = [value for value in ask(order) if value is not None]
        self.expect(f"the worst WAPE first: {wape}", wape == sorted(wape, reverse=True))
        self.expect("said to who cannot see it", ask("document.querySelector('th[aria-sort]').ariaSort") == "descending")
        browser.act("sorted the other way", "document.querySelector('th[aria-sort] a').click()")
        self.expect("the best WAPE first", [v for v in ask(order) if v is not None] == sorted(wape))
        ask("document.querySelector('[name=q]').value = 'no such store'")
        browser.act("searched", "document.querySelector('.search').requestSubmit()")
        self.expect("nothing is found, and that is said", "No store is called so" in ask("document.querySelector('main').innerText"))

        go("store")
        browser.act("an item", "[...document.querySelectorAll('main a')].find(a => a.pathname.includes('/items/')).click()")
        self.expect("the item's plot", ask("document.querySelectorAll('svg circle.actual').length") > 0)
        self.expect("the item's band", ask("document.querySelectorAll('svg path.band').length") > 0)
        browser.act("back up", "document.querySelector('.crumbs a:last-child').click()")
        self.expect("the store again", ask("location.pathname") == addresses["store"])

        go("fleet")
        browser.act("who waits", "document.querySelector('.ranges a[href*=pending]').click()")
        self.expect("a device waits", ask("document.querySelectorAll('tbody tr').length") == 1)
        browser.act("that device", "document.querySelector('tbody a').click()")
        browser.act("approved", "document.querySelector('form[action$=approve]').requestSubmit()")
        self.expect("it is approved", ask("document.querySelector('.state.good') !== null"))
        self.expect("it cannot be approved again", ask("document.querySelector('form[action$=approve]') === null"))

        self.live(addresses)

        go("models")
        browser.act("a family", "document.querySelector('tbody a').click()")
        self.expect("its recipe or card", ask("document.querySelectorAll('table').length") > 1)

        browser.go(self.address + "/audit")
        ask(f"document.querySelector('[name=q]').value = 'user:{self.user}'")
        browser.act("searched", "document.querySelector('.search').requestSubmit()")
        said = ask("document.querySelector('tbody').innerText")
        self.expect("the log says who approved", "approve" in said)
        self.expect("the log says who paused, and why", "pause" in said and "a look at it" in said)

        browser.screen(390, 844, True)
        go("alert")
        form = "document.querySelector('form[action$=silence]')"
        ask(f"{form}.elements.amount.value = '3', {form}.elements.why.value = 'it is ordered'")
        browser.act("silenced", f"{form}.requestSubmit()")
        self.expect("the alert says until when it is silent, and why", "it is ordered" in ask("document.querySelector('.facts').innerText"))
        go("alerts")
        self.expect("so does the list", "open, silent" in ask("document.querySelector('[data-live]').innerText"))
        browser.screen(1280, 800, False)
        troubles = browser.take_troubles()
        self.expect(f"nothing on the console: {troubles}", not troubles)

    def silence(self, addresses):
        """A store is silenced on a phone: first one that there is not, then its own name."""
        browser, ask = self.browser, self.browser.ask
        browser.screen(390, 844, False)
        browser.go(self.address + "/alerts")
        browser.act("the page of silences", "document.querySelector('main nav a[href$=silences]').click()")
        form = "document.querySelector('form[action$=silences]')"
        field = f"{form}.elements"
        ask(f"{field}.store.value = 'nowhere', {field}.amount.value = '2', {field}.unit.value = 'weeks', {field}.why.value = 'rebuilt'")
        browser.act("answered", f"{form}.requestSubmit()")
        self.refused("store")
        self.expect("what is wrong is said there", "no store 'nowhere'" in ask(
            "document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ')[0]).innerText"))
        self.expect("what was entered is kept", ask(
            f"[{field}.store.value, {field}.amount.value, {field}.unit.value, {field}.why.value].join()") == "nowhere,2,weeks,rebuilt")
        self.plain("a refused silence", 390)
        if self.pictures and self.pictures.startswith("all:"):
            browser.picture(f"{self.pictures.removeprefix('all:')}/silences-refused-phone.png")
        ask(f"{field}.store.value = decodeURIComponent({addresses['store']!r}.split('/')[2])")
        browser.act("answered", f"{form}.requestSubmit()")
        self.expect("it is said to hold", "holds until" in ask("document.querySelector('[role=status]').innerText"))
        self.expect("it is listed with its reason", "rebuilt" in ask("document.querySelector('tbody').innerText"))

    def refused(self, field):
        """A form has come back with the focus on the field that is wrong."""
        self.browser.take_troubles()  # the browser notes the refusal itself
        # The browser gives the focus when it has drawn the page, some time after that was loaded.
        self.browser.until("the focus is where something is wrong", f"document.activeElement.name === '{field}'")

    def destination(self, addresses):
        """A webhook is added at a desk, first one that only the command line may, and tested; nobody is there to take it."""
        browser, ask = self.browser, self.browser.ask
        browser.screen(1280, 800, False)
        browser.go(self.address + addresses["destinations"])
        form = "document.querySelector('form[action$=webhook]')"
        field = f"{form}.elements"
        ask(f"{field}.name.value = 'night', {field}.url.value = 'http://127.0.0.1/', {field}.key.value = 'a key of the test'")
        ask(f"{field}['severities.info'].checked = true")
        browser.act("answered", f"{form}.requestSubmit()")
        self.refused("url")
        self.expect("what was entered is kept, but for the secret", ask(
            f"[{field}.name.value, {field}.url.value, {field}.key.value, {field}['severities.info'].checked].join()")
            == "night,http://127.0.0.1/,,true")
        self.plain("a refused destination", 1280)
        if self.pictures and self.pictures.startswith("all:"):
            browser.picture(f"{self.pictures.removeprefix('all:')}/destinations-refused-desk.png")
        ask(f"{field}.url.value = 'https://127.0.0.1:1/', {field}.key.value = 'a key of the test'")
        browser.act("added", f"{form}.requestSubmit()")
        self.expect("it is said to be there", "night" in ask("document.querySelector('[role=status]').innerText"))
        # As who has no mouse does it.
        ask("document.querySelector('form[action$=test] button').focus()")
        ask("window.isOld = true")
        browser.key(" ", 32)
        browser.until("tested", "document.readyState === 'complete' && window.isOld === undefined")
        browser.until("the page tells what became of it", "document.querySelector('[data-live]').innerText.includes('tried again')")
        self.expect("and why it has not arrived", "127.0.0.1" in ask("document.querySelector('[data-live] tbody').innerText")
                    or "refused" in ask("document.querySelector('[data-live] tbody').innerText"))

    def live(self, addresses):
        """A rollout is paused in one window, and another one shows it without being asked."""
        browser, ask = self.browser, self.browser.ask
        browser.go(self.address + addresses["rollout"])
        browser.until("the stream began", "Number(document.querySelector('[data-live]').dataset.updates || 0) >= 1")
        self.expect("it goes on", "running" in ask("document.querySelector('[data-live]').innerText"))
        form = "document.querySelector('form[action$=pause]')"
        answer = ask(f"""(async () => {{ const form = {form}; form.elements.why.value = 'a look at it';
            const answer = await fetch(form.action, {{method: 'POST', body: new URLSearchParams(new FormData(form))}});
            return answer.status }})()""")
        self.expect(f"it is paused: {answer}", answer == 200)
        browser.until(
            "the window hears of it", "document.querySelector('[data-live]').innerText.includes('a look at it')")
        self.expect("its state is said once", "paused: paused" not in ask("document.querySelector('[data-live]').innerText"))
        again = ask(f"""(async () => {{ const form = {form};
            const answer = await fetch(form.action, {{method: 'POST', body: new URLSearchParams(new FormData(form))}});
            return answer.status }})()""")
        self.expect(f"what was decided on an older state is refused: {again}", again == 409)
        browser.take_troubles()  # the browser notes the refusal itself
        browser.go(self.address + addresses["rollout"])
        ask("document.querySelector('form[action$=resume]').elements.why.value = 'it was nothing'")
        browser.act("resumed", "document.querySelector('form[action$=resume]').requestSubmit()")
        self.expect("it goes on again", ask("document.querySelector('form[action$=pause]') !== null"))

    def without_script(self, addresses):
        browser, ask = self.browser, self.browser.ask
        browser.call("Emulation.setScriptExecutionDisabled", value=True)
        for name in ["overview", "rollout", "stores", "silences", "destinations"]:
            browser.call("Page.navigate", url=self.address + addresses[name])
            browser.until("it is loaded", f"document.readyState === 'complete' && location.pathname === {addresses[name]!r}")
            self.expect("it reads as well without JavaScript", ask("document.querySelectorAll('main table').length") > 0)
        browser.act("asked", "document.querySelector('tbody a[href*=remove]').click()")
        self.expect("what it means to remove a destination is said", "Remove night?" in ask("document.querySelector('main').innerText"))
        browser.act("removed", "document.querySelector('form[action$=remove]').requestSubmit()")
        self.expect("it is gone", "sent nowhere" in ask("document.querySelector('main').innerText"))
        browser.go(self.address + addresses["silences"])
        for _ in range(2):
            browser.act("lifted", "document.querySelector('form[action$=lift]').requestSubmit()")
        self.expect("nothing is silent any more", "Nothing is silent." in ask("document.querySelector('main').innerText"))
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        browser.go(self.address + "/audit")
        said = ask("document.querySelector('tbody').innerText")
        for action in ["add-destination", "test-destination", "remove-destination", "silence", "lift-silence"]:
            self.expect(f"the log says who did: {action}", action in said)

    def sign_out(self):
        browser, ask = self.browser, self.browser.ask
        browser.go(self.address + "/")
        browser.act("signed out", "document.querySelector('.who').requestSubmit()")
        self.expect("the sign-in page", ask("location.pathname") == "/sign-in")
        browser.go(self.address + "/stores")
        self.expect("nothing to be seen any more", ask("location.pathname") == "/sign-in")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["address", "user", "password"]:
        arguments.add_argument(name)
    arguments.add_argument("--pictures")
    check = Check(arguments.parse_args())
    try:
        check.run()
    finally:
        check.browser.close()
    for problem in check.problems:
        print(problem)
    print(f"{check.count - len(check.problems)} of {check.count} hold")
    sys.exit(1 if check.problems else 0)


if __name__ == "__main__":
    main()
