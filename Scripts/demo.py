#!/usr/bin/env python3
"""The main job on this machine: a hub, twelve devices in three stores, 28 days of sales, the report.

usage: demo.py --hub PATH --agent PATH [--sales FILE.csv[.gz]] [--out .build/demo]

Everything is real: processes, TLS on loopback, databases, training. On the way one device loses its network for
six days and one loses power in the middle of a day's sales. Ends by itself and leaves nothing running."""

import concurrent.futures
import datetime
import os
import signal
import socket
import subprocess
import sys
import time
import zlib

import demo_shared

REPLAY_DAYS = 28
HISTORY_DAYS_MIN = 120
STORES_MAX = 3
# Bytes a device may spend on its model. The first is too small for any.
BUDGETS = ["256", "2KiB", "4KiB", "64KiB"]
CUT_DAYS = range(8, 14)  # the replay's days without a network for one device
POWER_CUT_DAY = 18  # the day another device is killed in the middle of its sales


def main():
    demo_shared.run(Demo, __doc__, ".build/demo")


class Device:
    """One agent: its state folder, and its `run` process while it has power."""

    def __init__(self, demo, store, budget, number):
        self.demo, self.store, self.budget = demo, store, budget
        self.name = f"store {store} device {number}"
        self.state = os.path.join(demo.out, "devices", f"{store}-{number}")
        self.process = None

    def call(self, *arguments, check=True, text=None):
        return self.demo.on_device(self.state, *arguments, check=check, text=text)

    def start(self):
        log = open(self.state + ".log", "a")
        self.process = subprocess.Popen(
            [self.demo.agent, "run", "--state", self.state, "--memory-budget", self.budget],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Demo(demo_shared.Demo):
    def __init__(self, options):
        super().__init__("demo", options)
        self.children = []
        self.devices = []
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=6)

    def run(self):
        started = time.monotonic()
        self.clear()
        self.prepare_sales()
        self.step("A fresh hub learns from the sales before the replay")
        self.show("init")
        self.show("sales", "import", self.history)
        self.show("sales", "show")
        self.show("train", "--form", "profile", "--units", "16,8,2", "--name", "demo")
        self.show("package", "build", "demo")
        self.step("The hub listens; twelve devices join over TLS")
        self.start_hub()
        self.join_devices()
        self.step("Push the family to the fleet")
        self.show("push", "demo", "--all")
        self.show("rollout", "watch", "--timeout", "60s")
        self.step(f"{REPLAY_DAYS} days of sales through the local API")
        self.replay()
        self.step("Which device got which package, and why")
        self.show("rollout", "show")
        self.step("How good the forecasts were")
        self.show("report", "replay")
        self.show("report")
        self.step("Where everything is")
        for what, where in (
            ("sales fed in", self.out + "/sales.csv"), ("hub data", self.data),
            ("hub log", self.out + "/hub.log"), ("devices", self.out + "/devices/STORE-NUMBER (and .log)"),
            ("look again", f"{os.path.relpath(self.hub)} report --data {os.path.relpath(self.data)}"),
        ):
            print(f"  {what:14}{where}")
        print(f"\nDone in {time.monotonic() - started:.0f} s. Nothing is left running.")

    # The sales, cut into what the hub learns from and what the tills will sell.

    def make_sales(self, path):
        self.step("A seeded sample chain: promotions, closed days, stock-outs, slow movers")
        self.show("sales", "sample", "--out", path, "--stores", "3", "--items", "10", "--seed", "7",
                  "--from", "2022-01-01", "--to", "2024-12-31")

    def prepare_sales(self):
        rows = self.read_sales(self.make_sales)
        try:
            last = max(datetime.date.fromisoformat(row["date"]) for row in rows)
            for row in rows:
                row["units"] = int(row["sales"])
        except (ValueError, TypeError) as fault:
            sys.exit(f"demo: {self.sales}: {fault}; `shelfcast-hub sales import` names every bad row with its line")
        self.days = [last - datetime.timedelta(days=n) for n in range(REPLAY_DAYS - 1, -1, -1)]
        self.stores = sorted({row["store"] for row in rows}, key=demo_shared.by_number)[:STORES_MAX]
        first = self.days[0].isoformat()
        if len({row["date"] for row in rows if row["date"] < first}) < HISTORY_DAYS_MIN:
            sys.exit(f"demo: {self.sales} needs at least {HISTORY_DAYS_MIN} days before its last {REPLAY_DAYS}, to learn from")
        self.write_history(row for row in rows if row["date"] < first)
        self.sold = {}
        for row in rows:
            if row["date"] >= first and row["store"] in self.stores:
                self.sold.setdefault((row["date"], row["store"]), []).append((row["item"], row["units"]))

    # The fleet.

    def start_hub(self):
        process, log = self.serve("--no-pages")
        self.children.append(process)
        line = self.said(process, log, [":"])
        self.port = int(line.strip().split(":")[-1].split()[0].rstrip("."))
        # The device whose network will be cut reaches the hub through this relay.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.relay_port = probe.getsockname()[1]
        self.start_relay()

    def start_relay(self):
        self.relay = subprocess.Popen(
            ["socat", f"TCP-LISTEN:{self.relay_port},bind=127.0.0.1,fork,reuseaddr",
             f"TCP:127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, start_new_session=True)
        self.children.append(self.relay)

    def cut_relay(self):
        os.killpg(self.relay.pid, signal.SIGKILL)  # the listener and every connection through it
        self.relay.wait()

    def join_devices(self):
        for store in self.stores:
            for number, budget in enumerate(BUDGETS, 1):
                self.devices.append(Device(self, store, budget, number))
        self.cut_device = self.devices[len(self.devices) // 3 + 2]
        self.power_device = self.devices[-2]
        for device in self.devices:
            port = self.relay_port if device is self.cut_device else self.port
            token = self.ask(
                "token", "create", "--store", device.store, "--host", "127.0.0.1", "--port", str(port), "--plain")
            joined = device.call("join", token.strip(), "--memory-budget", device.budget)
            print(f"  {device.name}, {device.budget:>6} for a model: {joined.stdout.strip().splitlines()[0]}")
            device.start()

    def everywhere(self, work):
        devices = [device for device in self.devices if device.process.poll() is None]
        return list(self.pool.map(work, devices))

    # Twenty-eight days.

    def share(self, store, day, number):
        """The CSV a till of device `number` (from 0) sends: each unit of the store is sold at one device only."""
        lines = ["day,item,units,ref"]
        for item, units in self.sold.get((day.isoformat(), store), []):
            turn = zlib.crc32(f"{day}/{item}".encode())
            mine = units // len(BUDGETS) + (1 if (number + turn) % len(BUDGETS) < units % len(BUDGETS) else 0)
            if mine > 0:
                lines.append(f"{day},{item},{mine},{day}-{item}")
        return "\n".join(lines) + "\n"

    def sell(self, device, day):
        number = int(device.state.rsplit("-", 1)[1]) - 1
        device.call("sale", "--csv", text=self.share(device.store, day, number))

    def close(self, device, day):
        sold = any(units for _, units in self.sold.get((day.isoformat(), device.store), []))
        device.call("close-day", day.isoformat(), *([] if sold else ["--closed"]))

    def replay(self):
        for number, day in enumerate(self.days, 1):
            events = []
            if number == CUT_DAYS.start:
                self.cut_relay()
                events.append(f"{self.cut_device.name} loses its network")
            if number == CUT_DAYS.stop:
                self.start_relay()
                events.append(f"{self.cut_device.name} is back")
            if number == POWER_CUT_DAY:
                selling = self.pool.submit(self.power_device.call, "sale", "--csv", check=False,
                                           text=self.share(self.power_device.store, day, 2))
                time.sleep(0.01)
                self.power_device.kill()
                selling.result()
                self.power_device.start()
                self.wait_for(self.power_device)
                events.append(f"{self.power_device.name} lost power while selling; its till sends the day again")
            self.everywhere(lambda device: self.sell(device, day))
            self.everywhere(lambda device: self.close(device, day))
            for _ in range(2):  # up with the day's sales, then down with the store's totals
                self.everywhere(lambda device: device.call("sync", check=device is not self.cut_device))
            units = sum(units for store in self.stores for _, units in self.sold.get((day.isoformat(), store), []))
            print(f"  {day} {day:%a}  {units:6} units" + "".join(f"   · {event}" for event in events), flush=True)

    def wait_for(self, device):
        for _ in range(200):
            if device.call("status", check=False).returncode == 0:
                return
            time.sleep(0.05)
        sys.exit(f"demo: {device.name} did not come back; see {device.state}.log")

    def stop(self):
        self.pool.shutdown(cancel_futures=True)
        self.end([device.process for device in self.devices if device.process] + self.children)


if __name__ == "__main__":
    main()
