#!/usr/bin/env python3
"""A chain that changes, and what its people are told: two stores begin to sell 1.8 times as much, a device falls silent.

usage: demo_drift.py --hub PATH --agent PATH [--sales FILE.csv[.gz]] [--out .build/demo-drift]

The last 70 days of a made-up chain of steady stores, or of five or six of your own, are replayed through their devices:
a till in each store, and in one a shelf sensor besides. Alerts, report and pages have to tell exactly what was done to
the chain, and the autopilot has to repair the two stores: whatever does not is printed, and the status is 1."""

import csv
import datetime
import http.cookiejar
import json
import os
import random
import re
import sys
import time
import urllib.parse
import urllib.request

import demo_shared

USUAL_DAYS = 36  # before anything happens: the scale of a store is learnt from 28 of them
SHIFTED_DAYS = 12  # until the hub has seen it and the autopilot has something to learn from
REPAIR_DAYS_MAX = 22  # of trial, waves and the days that show it
FACTOR = 1.8
SHIFTED = (1, 3)  # positions of the stores that sell more
SILENT = 4  # position of the store with the device that falls silent
ITEMS_MAX = 10
PASSWORD = "a password for this demo"


def main():
    demo = demo_shared.run(Drift, __doc__, ".build/demo-drift")
    if demo.faults:
        print(f"\n{len(demo.faults)} of what was to be told was not:", *demo.faults, sep="\n  ", file=sys.stderr)
        sys.exit(1)


class Device:
    """A device that is in touch once a day, as one on a battery is."""

    def __init__(self, drift, store, number):
        self.drift, self.store, self.number = drift, store, number
        self.state = os.path.join(drift.out, "devices", f"{store}-{number}")
        self.is_silent = False

    def call(self, *arguments, text=None):
        return self.drift.on_device(self.state, *arguments, text=text).stdout


class Drift(demo_shared.Demo):
    def __init__(self, options):
        super().__init__("demo_drift", options)
        self.server = None
        self.devices, self.faults = [], []

    def run(self):
        started = time.monotonic()
        self.clear()
        self.prepare_sales()
        self.step("A hub learns from the sales before, and its devices run the model")
        for command in (["init"], ["sales", "import", self.history],
                        ["train", "--form", "profile", "--units", "4", "--name", "usual"], ["package", "build", "usual"]):
            self.ask(*command)
        self.start_hub()
        self.join_devices()
        self.ask("push", "usual", "--all")
        self.everywhere("sync")
        self.step(f"{USUAL_DAYS} usual days")
        self.replay(USUAL_DAYS)
        self.expect("no alert while nothing has happened", self.open_alerts() == [], self.open_alerts())

        self.first_shifted = self.day
        names = [self.stores[at] for at in SHIFTED]
        self.silent = next(d for d in self.devices if d.store == self.stores[SILENT] and d.number == 2)
        self.silent.is_silent = True
        self.step(f"From {self.first_shifted} on stores {' and '.join(names)} sell {FACTOR} times as much,"
                  f" and device 2 of store {self.silent.store} is silent")
        self.replay(SHIFTED_DAYS)
        self.ask("alerts", "check")
        self.check_alerts(names)
        self.check_report(names)

        self.step("The autopilot is turned on")
        self.show("autopilot", "mode", "on", "--waves", "all", "--trial-days", "4", "--soak", "0")
        self.repair(names)
        self.check_pages(names)
        self.step("Where everything is")
        print(f"  hub data       {self.data}\n  hub log        {self.out}/hub.log")
        print(f"\nDone in {time.monotonic() - started:.0f} s. Nothing is left running.")

    # The sales.

    def prepare_sales(self):
        rows = self.read_sales(self.make_sales)
        self.stores = sorted({row["store"] for row in rows}, key=demo_shared.by_number)[:6]
        if len(self.stores) <= SILENT:
            sys.exit(f"demo_drift: {self.sales} needs {SILENT + 1} stores")
        items = set(sorted({row["item"] for row in rows}, key=demo_shared.by_number)[:ITEMS_MAX])
        rows = [row for row in rows if row["store"] in self.stores and row["item"] in items]
        last = max(datetime.date.fromisoformat(row["date"]) for row in rows)
        count = USUAL_DAYS + SHIFTED_DAYS + REPAIR_DAYS_MAX
        self.days = [last - datetime.timedelta(days=n) for n in range(count - 1, -1, -1)]
        self.day = self.days[0]
        self.sold = {}
        self.write_history(row for row in rows if datetime.date.fromisoformat(row["date"]) < self.day)
        for row in rows:
            day = datetime.date.fromisoformat(row["date"])
            if day >= self.day:
                self.sold.setdefault((day, row["store"]), []).append((row["item"], int(row["sales"])))

    def make_sales(self, path):
        """Busy weekends, a summer, and sales that scatter as those of single customers do; the same each time."""
        self.step("A made-up chain of six steady stores")
        chance = random.Random(11)
        busy = [0.8, 0.85, 0.9, 1.0, 1.2, 1.4, 1.1]
        usual = {(store, item): chance.uniform(15, 70) for store in range(1, 7) for item in range(1, ITEMS_MAX + 1)}
        first = datetime.date(2022, 1, 1)
        with open(path, "w", newline="") as file:
            sales = csv.writer(file)
            sales.writerow(["date", "store", "item", "sales"])
            for offset in range((datetime.date(2024, 10, 31) - first).days + 1):
                day = first + datetime.timedelta(days=offset)
                season = 1 + 0.2 * (1 - abs(day.timetuple().tm_yday - 196) / 98)
                for (store, item), level in usual.items():
                    mean = level * busy[day.weekday()] * season
                    sales.writerow([day, store, item, max(0, round(chance.gauss(mean, mean ** 0.5)))])

    # The fleet.

    def start_hub(self):
        self.server, log = self.serve("--pages-port", "0", "--watch-every", "1s")
        text = self.said(self.server, log, ["http://", "listening on"])
        self.port = re.search(r"listening on \S*:(\d+)", text).group(1)
        self.pages = re.search(r"http://[^\s/]+", text).group(0)

    def join_devices(self):
        for at, store in enumerate(self.stores):
            for number in (1, 2) if at == SILENT else (1,):
                device = Device(self, store, number)
                token = self.ask("token", "create", "--store", store, "--host", "127.0.0.1", "--port", self.port, "--plain")
                device.call("join", token.strip(), "--memory-budget", "64KiB")
                self.devices.append(device)

    def everywhere(self, *arguments):
        for device in self.devices:
            if not device.is_silent:
                device.call(*arguments)

    def units(self, device, day):
        """What of its store's day a device sees: the till all of it, a shelf sensor nothing."""
        if device.number > 1:
            return
        factor = FACTOR if device.store in [self.stores[at] for at in SHIFTED] and self.is_shifted(day) else 1
        for item, units in self.sold.get((day, device.store), []):
            if units > 0:
                yield item, round(units * factor)

    def is_shifted(self, day):
        return hasattr(self, "first_shifted") and day >= self.first_shifted

    def replay(self, count):
        for _ in range(count):
            for device in self.devices:
                if device.is_silent:
                    continue
                lines = [f"{self.day},{item},{units}" for item, units in self.units(device, self.day)]
                has_business = any(units for _, units in self.sold.get((self.day, device.store), []))
                if lines:
                    device.call("sale", "--csv", text="\n".join(["day,item,units", *lines]) + "\n")
                device.call("close-day", self.day.isoformat(), *([] if has_business else ["--closed"]))
                device.call("sync")
            for device in self.devices:  # the store's totals
                if not device.is_silent:
                    device.call("sync")
            self.day += datetime.timedelta(days=1)
        print(f"  … {self.day - datetime.timedelta(days=1)}", flush=True)

    # What has to be told.

    def open_alerts(self):
        return [(alert["kind"], alert["subject"], alert.get("since")) for alert in self.json("alerts", "list")]

    def check_alerts(self, names):
        self.show("alerts")
        alerts = self.open_alerts()
        shifts = sorted((subject, since) for kind, subject, since in alerts if kind == "demand-shift")
        near = [abs((datetime.date.fromisoformat(since) - self.first_shifted).days) <= 3 for _, since in shifts]
        self.expect("a demand shift in just these stores, since that day or some days beside it",
                    [subject for subject, _ in shifts] == sorted(f"store {name}" for name in names) and all(near), shifts)
        silent = [subject for kind, subject, _ in alerts if kind == "device-silent"]
        device = json.loads(self.silent.call("status", "--json"))["device"]
        self.expect("one silent device, that one", silent == [f"device {device}"], silent)
        others = [alert for alert in alerts if alert[0] not in ("demand-shift", "device-silent")
                  and alert[1] not in [f"store {name}" for name in names]]
        self.expect("nothing else", others == [], others)

    def wape(self, first, last):
        lines = self.json("report", "--by", "store", "--from", first.isoformat(), "--to", last.isoformat())["lines"]
        return {line["name"]: line["wapePercent"] for line in lines}

    def check_report(self, names):
        last = self.day - datetime.timedelta(days=1)
        self.show("report", "--from", self.first_shifted.isoformat(), "--to", last.isoformat())
        before = self.wape(self.days[0], self.first_shifted - datetime.timedelta(days=1))
        self.shifted_wape = self.wape(self.first_shifted, last)
        for store in self.stores:
            ratio = self.shifted_wape[store] / before[store]
            self.expect(f"store {store}: WAPE {before[store]:.1f} % before, {self.shifted_wape[store]:.1f} % since",
                        (ratio > 1.4) == (store in names), f"{ratio:.2f} times")
        report = self.ask("report", "--from", self.first_shifted.isoformat(), "--to", last.isoformat())
        device = json.loads(self.silent.call("status", "--json"))["device"]
        self.expect("the report says whose days are missing", "missing" in report and device in report, "it does not")

    def repair(self, names):
        run = None
        for _ in range(600):
            runs = self.json("autopilot", "list")
            if runs and (runs[0].get("rollout") or runs[0].get("outcome")):
                run = runs[0]
                break
            time.sleep(0.2)
        self.expect("the autopilot pushes a model for these stores",
                    run and run["trigger"] == "drift" and sorted(d["store"] for d in run["drifts"]) == sorted(names)
                    and run.get("rollout"), run and run.get("why"))
        if not run:
            return
        self.everywhere("sync")
        outcome = None
        for _ in range(REPAIR_DAYS_MAX - 4):
            self.replay(1)
            for _ in range(10):
                outcome = self.json("autopilot", "show", str(run["run"])).get("outcome")
                if outcome:
                    break
                time.sleep(0.3)
            if outcome:
                break
        self.show("autopilot", "show", str(run["run"]))
        self.expect("its model is kept", outcome == "kept", outcome)
        repaired = self.day
        self.replay(4)
        after = self.wape(repaired, self.day - datetime.timedelta(days=1))
        for name in names:
            self.expect(f"store {name}: WAPE {self.shifted_wape[name]:.1f} % while shifted, {after[name]:.1f} % repaired",
                        after[name] < 0.7 * self.shifted_wape[name], "no better")
        self.ask("alerts", "check")
        for alert in self.json("alerts", "list", "--all"):
            if alert["kind"] != "demand-shift":
                continue
            events = json.dumps(self.json("alerts", "show", str(alert["id"])))
            self.expect(f"the shift of {alert['subject']} was over with the new model", "model changed" in events, alert["state"])
            # A model that is some days old, beside a level that still follows: what is left may be told too.
            is_over = alert["state"] == "resolved"
            left = 0.0 if is_over else float(re.search(r"([-+][0-9.]+) %", alert["title"]).group(1))
            self.expect(f"of the shift of {alert['subject']} nothing is left that an alert would tell" if is_over
                        else f"what is left of it is small: {alert['title']}", abs(left) < 25, left)

    def check_pages(self, names):
        self.step("The pages say the same")
        self.ask("user", "add", "manager", "--role", "viewer")
        self.ask("user", "password", "manager", text=f"{PASSWORD}\n{PASSWORD}\n")
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        page = lambda path: browser.open(self.pages + path, timeout=60).read().decode()  # noqa: E731
        form = page("/sign-in")
        proof = re.search(r'name="proof" value="([^"]+)"', form).group(1)
        browser.open(self.pages + "/sign-in", urllib.parse.urlencode(
            {"proof": proof, "name": "manager", "password": PASSWORD}).encode(), timeout=60)
        device = json.loads(self.silent.call("status", "--json"))["device"]
        self.expect("the overview names the silent device or its alert", device in page("/") or "silent" in page("/"), "it does not")
        self.expect("the alerts page has it too", device in page("/alerts"), "it does not")
        for store in self.stores:
            text = page(f"/stores/{urllib.parse.quote(store)}?days=all")
            told = "sells more than is forecast" in text and "most forecasts are by auto-" in text
            self.expect(f"the time line of store {store} " + ("shows alert and new model" if store in names else "shows no alert of it"),
                        told if store in names else "sells more than is forecast" not in text, "otherwise")

        newest = max(int(number) for number in re.findall(r"/rollouts/([0-9]+)", page("/rollouts")))
        text = page(f"/rollouts/{newest}")
        self.expect("the rollout's page says that each store keeps the new model",
                    text.count(">kept<") == len(self.stores) and ">in trial<" not in text, "otherwise")

    def expect(self, what, holds, instead):
        print(f"  {'told' if holds else 'NOT TOLD'}: {what}" + ("" if holds else f" ({instead})"), flush=True)
        if not holds:
            self.faults.append(f"{what}: {instead}")

    def json(self, *arguments):
        return json.loads(self.ask(*arguments, "--json"))

    def stop(self):
        self.end([self.server] if self.server else [])


if __name__ == "__main__":
    main()
