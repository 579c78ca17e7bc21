#!/usr/bin/env python3
"""The main job on this machine: a hub, twelve devices in three stores, 28 days of sales, the report.

usage: demo.py --hub PATH --agent PATH [--sales FILE.csv[.gz]] [--out .build/demo]

Everything is real: processes, TLS on loopback, databases, training. On the way one device loses its network for
six days and one loses power in the middle of a day's sales. Ends by itself and leaves nothing running."""

import argparse
import concurrent.futures
import csv
import datetime
import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib

REPLAY_DAYS = 28
HISTORY_DAYS_MIN = 120
STORES_MAX = 3
# Bytes a device may spend on its model. The first is too small for any.
BUDGETS = ["256", "2KiB", "4KiB", "64KiB"]
CUT_DAYS = range(8, 14)  # the replay's days without a network for one device
POWER_CUT_DAY = 18  # the day another device is killed in the middle of its sales


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--hub", required=True)
    arguments.add_argument("--agent", required=True)
    arguments.add_argument("--sales")
    arguments.add_argument("--out", default=".build/demo")
    demo = Demo(arguments.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        demo.run()
    except subprocess.CalledProcessError as failure:
        print(f"demo: {' '.join(map(str, failure.cmd))} ended with status {failure.returncode}", file=sys.stderr)
        print((failure.stdout or "") + (failure.stderr or ""), file=sys.stderr)
        sys.exit(1)
    finally:
        demo.stop()


class Device:
    """One agent: its state folder, and its `run` process while it has power."""

    def __init__(self, demo, store, budget, number):
        self.demo, self.store, self.budget = demo, store, budget
        self.name = f"store {store} device {number}"
        self.state = os.path.join(demo.out, "devices", f"{store}-{number}")
        self.process = None

    def call(self, *arguments, check=True, text=None):
        return subprocess.run(
            [self.demo.agent, *arguments, "--state", self.state],
            input=text, capture_output=True, text=True, check=check, timeout=60)

    def start(self):
        log = open(self.state + ".log", "a")
        self.process = subprocess.Popen(
            [self.demo.agent, "run", "--state", self.state, "--memory-budget", self.budget],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Demo:
    def __init__(self, options):
        self.hub, self.agent = os.path.abspath(options.hub), os.path.abspath(options.agent)
        self.out, self.sales = os.path.abspath(options.out), options.sales
        self.data = os.path.join(self.out, "hub")
        self.children = []
        self.devices = []
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=6)

    def run(self):
        started = time.monotonic()
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(os.path.join(self.out, "devices"))
        self.prepare_sales()
        self.step("A fresh hub learns from the sales before the replay")
        self.show("init")
        self.show("sales", "import", self.history)
        self.show("sales", "show")
        self.show("train", "--form", "profile", "--units", "16,8,2", "--name", "demo")
        self.show("package", "build", "demo")
        self.step("The hub listens; twelve devices join over TLS")
        self.serve()
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

    def prepare_sales(self):
        path = os.path.join(self.out, "sales.csv")
        if self.sales:
            self.step(f"Sales from {self.sales}")
            opened = gzip.open if self.sales.endswith(".gz") else open
            try:
                with opened(self.sales, "rt", newline="", encoding="utf-8-sig") as source, open(path, "w") as copy:
                    shutil.copyfileobj(source, copy)
            except (OSError, EOFError, UnicodeDecodeError, zlib.error) as fault:
                sys.exit(f"demo: cannot read {self.sales}: {fault}")
        else:
            self.step("A seeded sample chain: promotions, closed days, stock-outs, slow movers")
            self.show("sales", "sample", "--out", path, "--stores", "3", "--items", "10", "--seed", "7",
                      "--from", "2022-01-01", "--to", "2024-12-31")
        with open(path, newline="") as source:
            rows = [row for row in csv.DictReader(source)]
        if not rows or not {"date", "store", "item", "sales"} <= set(rows[0]):
            sys.exit(f"demo: {self.sales or path} needs the columns date,store,item,sales and at least one row")
        try:
            last = max(datetime.date.fromisoformat(row["date"]) for row in rows)
            for row in rows:
                row["units"] = int(row["sales"])
        except (ValueError, TypeError) as fault:
            sys.exit(f"demo: {self.sales}: {fault}; `shelfcast-hub sales import` names every bad row with its line")
        self.days = [last - datetime.timedelta(days=n) for n in range(REPLAY_DAYS - 1, -1, -1)]
        self.stores = sorted({row["store"] for row in rows}, key=lambda s: (len(s), s))[:STORES_MAX]
        self.history = os.path.join(self.out, "history.csv")
        first = self.days[0].isoformat()
        if len({row["date"] for row in rows if row["date"] < first}) < HISTORY_DAYS_MIN:
            sys.exit(f"demo: {self.sales} needs at least {HISTORY_DAYS_MIN} days before its last {REPLAY_DAYS}, to learn from")
        self.sold = {}
        with open(self.history, "w", newline="") as file:
            history = csv.writer(file)
            history.writerow(["date", "store", "item", "sales"])
            for row in rows:
                if row["date"] < first:
                    history.writerow([row["date"], row["store"], row["item"], row["sales"]])
                elif row["store"] in self.stores:
                    self.sold.setdefault((row["date"], row["store"]), []).append((row["item"], row["units"]))

    # The fleet.

    def serve(self):
        log = open(os.path.join(self.out, "hub.log"), "w")
        process = subprocess.Popen(
            [self.hub, "serve", "--data", self.data, "--host", "127.0.0.1", "--port", "0", "--no-web", "--no-pages"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.children.append(process)
        line = process.stdout.readline()
        if ":" not in line:
            sys.exit(f"demo: the hub did not start; see {log.name}")
        print("  " + line.strip())
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
            token = self.run_hub(
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

    # The terminal.

    def step(self, title):
        print(f"\n== {title}", flush=True)

    def run_hub(self, *arguments):
        return subprocess.run([self.hub, *arguments, "--data", self.data], capture_output=True, text=True,
                              check=True, timeout=300).stdout

    def show(self, *arguments):
        """A command as an operator types it, with its progress bars."""
        print(f"$ shelfcast-hub {' '.join(os.path.relpath(a) if a.startswith('/') else a for a in arguments)}",
              flush=True)
        data = [] if arguments[:2] == ("sales", "sample") else ["--data", self.data]
        subprocess.run([self.hub, *arguments, *data], check=True, timeout=300)

    def stop(self):
        self.pool.shutdown(cancel_futures=True)
        for process in [device.process for device in self.devices if device.process] + self.children:
            if process.poll() is None:
                process.terminate()
        for process in [device.process for device in self.devices if device.process] + self.children:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
