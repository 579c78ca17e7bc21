#!/usr/bin/env python3
"""Compares every figure of the report with a plain calculation from the raw tables, in every view and form.

usage: check_report.py HUB-PROGRAM DATA-DIRECTORY [PAGES-ADDRESS USER PASSWORD]

Reads forecast, dailySales, storeDay, deviceDay, calendarEntry, device, series, package, rolloutDevice and family alone,
none of the report's own tables. What compression costs is calculated with a network of its own, in double precision, from
the weights and the levels that the devices state. With the address of the pages it reads the tables of the stores, of each
store and of each item too, as somebody who is signed in.

Prints what it compared; the exit status is 1 and the differences are listed when there are any.
"""
import base64, collections, csv, datetime, html.parser, io, json, math, os, sqlite3, struct, subprocess, sys
import urllib.error, urllib.parse, urllib.request

VIEWS = ("chain", "region", "store", "item", "device", "weekday", "horizon", "family", "variant", "package", "day")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def iso(day):
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()


# P90, from the definitions: a negative binomial around the forecast, whose overdispersion follows the device's errors.

def normal(p):
    tail = min(p, 1 - p)
    t = math.sqrt(-2 * math.log(tail))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    return -z if p < 0.5 else z


def quantile(p, mean, variance):
    if mean <= 1e-9:
        return 0
    phi = max(0.0, variance - mean) / mean ** 2
    if mean > 64:
        ninth = (1 / mean + phi) / 9
        root = max(0.0, 1 - ninth + normal(p) * math.sqrt(ninth))
        return int(mean * root ** 3 + 0.5)
    units, total = 0, 0.0
    while True:
        if phi < 1e-9:
            log = units * math.log(mean) - mean - math.lgamma(units + 1)
        else:
            r = 1 / phi
            log = (math.lgamma(units + r) - math.lgamma(r) - math.lgamma(units + 1)
                   + r * math.log(r / (r + mean)) + units * math.log(mean / (r + mean)))
        total += math.exp(log)
        if total >= p:
            return units
        units += 1


def p90(forecast, past):
    excess = square = 0.0
    days = 7.0
    for mean, actual in past:
        if mean <= 0:
            continue
        if square == 0:
            square, excess = mean ** 2, 0.1 * mean ** 2
        phi = min(max(excess / square, 0), 16)
        error = min((actual - mean) ** 2, 16 * (mean + phi * mean ** 2))
        days = min(days + 1, 32)
        excess += (error - mean - excess) / days
        square += (mean ** 2 - square) / days
    phi = min(max(excess / square, 0), 16) if square > 0 else 0.1
    return quantile(0.9, forecast, forecast + phi * forecast ** 2)


# The uncompressed networks, from Sources/Forecasting's definitions: what a family's weights make of a window of days.

def floats(text):
    data = base64.b64decode(text)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


class Family:
    WEEKDAY, MONTH, YEAR, MONTHDAY, LEVEL, PERSISTENCE = (1 << bit for bit in range(6))
    RELATIVE, RESIDUAL = 2, 3
    BLOCKS = {"lstm": (4, 4, 0), "gru": (3, 4, 0), "fastgrnn": (1, 2, 2)}
    TAKES = {"prune", "shrink", "codebook", "lowrank", "fp16", "qat"}

    def __init__(self, record):
        self.window, self.inputs, self.output = record["window"], record["inputs"], record["output"]
        self.profiles = [floats(profile) for profile in record["profiles"]]
        calendar = record.get("calendar") or {"specialDays": [], "specialFactors": ""}
        self.monthdays = floats(calendar["daysOfMonth"]) if calendar.get("daysOfMonth") else None
        self.special = list(zip(calendar["specialDays"], floats(calendar["specialFactors"])))
        self.starts = {}
        for store in record["stores"]:
            zeros = [0.0] * len(store["items"])
            persistences = floats(store["persistences"]) if store.get("persistences") else zeros
            self.starts[store["store"]] = dict(zip(store["items"], zip(
                floats(store["levels"]), floats(store["scales"]), store["profiles"], persistences)))
        shares = sorted(max(scale, 1 / 64) / max(level, 1 / 64)
                        for store in self.starts.values() for level, scale, _, _ in store.values())
        self.new_scale = shares[len(shares) // 2] if shares else 1
        self.networks = {variant["name"]: self.network(variant) for variant in record["variants"]}

    def network(self, variant):
        """What there was before the recipe took anything away; None where that was not kept."""
        kept = variant.get("uncompressed")
        steps = {part.split()[0] for part in variant["recipe"].split("|") if part.split()}
        if not kept and steps & self.TAKES:
            return None
        cell, units = variant.get("cell") or "lstm", (kept or variant)["units"]
        kernels, biases, scalars = self.BLOCKS[cell]
        flat, width = floats((kept or variant)["parameters"]), self.width()
        parts, at = [], 0
        for size in (kernels * units * width, kernels * units * units, biases * units, scalars, units, 1):
            parts.append(flat[at:at + size])
            at += size
        return cell, units, parts

    def width(self):
        sizes = ((self.WEEKDAY, 7), (self.MONTH, 12), (self.YEAR, 2), (self.MONTHDAY, 2), (self.LEVEL, 1), (self.PERSISTENCE, 1))
        return 1 + sum(size for bit, size in sizes if self.inputs & bit)

    def factor(self, profile, day):
        if self.output != self.RESIDUAL:
            return 1.0
        date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
        factors, weekday, month = self.profiles[profile if profile < len(self.profiles) else 0], date.weekday(), date.month
        factor = factors[weekday] * factors[6 + month]
        if self.monthdays:
            factor *= self.monthdays[date.day - 1]
        rules = {31 * (month - 1) + date.day - 1, 372 + 42 * (month - 1) + 6 * weekday + (date.day - 1) // 7}
        if (date + datetime.timedelta(days=7)).month != month:
            rules.add(372 + 42 * (month - 1) + 6 * weekday + 5)
        for rule, own in self.special:
            if rule in rules:
                factor *= own
        return factor

    def common_profile(self, store):
        chosen = [self.starts[store]] if store is not None else self.starts.values()
        uses = collections.Counter(start[2] for starts in chosen for start in starts.values())
        return min(range(len(self.profiles)), key=lambda index: (-uses[index], index))

    def forecast(self, variant, store, item, level, window, target):
        """window: per day units, "closed" or None for not known."""
        start = self.starts.get(store, {}).get(item) if store is not None else None
        level = min(max(level, 1 / 64), 1e6)
        scale, profile, persistence = start[1:] if start else (level * self.new_scale, self.common_profile(store), 0.0)
        scale = min(max(scale, 1 / 64), 1e6)
        rows = []
        for back, units in zip(range(-self.window, 0), window):
            demand = 0.0
            factor = self.factor(profile, target + back)
            if isinstance(units, int):
                if self.output == 1:
                    demand = (units - level) / scale
                elif factor > 0:
                    demand = units / factor / level - 1
            row = [min(max(demand, -4), 4)]
            date = datetime.date(1970, 1, 1) + datetime.timedelta(days=target + back + 1)
            if self.inputs & self.WEEKDAY:
                row += [1.0 if date.weekday() == k else 0.0 for k in range(7)]
            if self.inputs & self.MONTH:
                row += [1.0 if date.month == k else 0.0 for k in range(1, 13)]
            if self.inputs & self.YEAR:
                turn = 2 * math.pi * (date.timetuple().tm_yday - 1) / 366
                row += [math.sin(turn), math.cos(turn)]
            if self.inputs & self.MONTHDAY:
                turn = 2 * math.pi * (date.day - 1) / 31
                row += [math.sin(turn), math.cos(turn)]
            if self.inputs & self.LEVEL:
                row.append(0.25 * math.log(level))
            if self.inputs & self.PERSISTENCE:
                row.append(persistence)
            rows.append(row)
        y = self.run(self.networks[variant], rows)
        if self.output == 1:
            units = level + scale * y
        elif self.output == self.RELATIVE:
            units = level * (1 + y)
        else:
            units = level * self.factor(profile, target) * math.exp(min(max(y, -4), 4))
        return min(max(units, 0.0), 1e7)

    @staticmethod
    def run(network, rows):
        cell, H, (inputs, recurrent, bias, scalars, dense, dense_bias) = network
        h, c, I = [0.0] * H, [0.0] * H, len(rows[0])
        blocks = len(inputs) // (H * I)
        for row in rows:
            x = [sum(map(lambda w, v: w * v, inputs[r * I:(r + 1) * I], row)) for r in range(blocks * H)]
            u = [sum(map(lambda w, v: w * v, recurrent[r * H:(r + 1) * H], h)) for r in range(blocks * H)]
            for j in range(H):
                if cell == "lstm":
                    i, f, g, o = (x[b * H + j] + u[b * H + j] + bias[b * H + j] for b in range(4))
                    c[j] = sigmoid(f) * c[j] + sigmoid(i) * math.tanh(g)
                    h[j] = sigmoid(o) * math.tanh(c[j])
                elif cell == "gru":
                    z, r = (sigmoid(x[b * H + j] + u[b * H + j] + bias[b * H + j]) for b in range(2))
                    n = math.tanh(x[2 * H + j] + bias[2 * H + j] + r * (u[2 * H + j] + bias[3 * H + j]))
                    h[j] = (1 - z) * n + z * h[j]
                else:
                    z = sigmoid(x[j] + u[j] + bias[j])
                    n = math.tanh(x[j] + u[j] + bias[H + j])
                    h[j] = (scalars[0] * (1 - z) + scalars[1]) * n + z * h[j]
        return dense_bias[0] + sum(w * v for w, v in zip(dense, h))


def checksum(digest, level, window):
    """What a device says of its inputs (SPEC 9.6)."""
    data = bytes(digest) + struct.pack("<f", level)
    for units in window:
        data += struct.pack("<I", units if isinstance(units, int) else 2 ** 32 - (2 if units == "closed" else 1))
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value or 1


class Raw:
    """Every forecast beside what is known of its day, and what came of every device."""

    def __init__(self, path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.stores = dict(db.execute("SELECT id, name FROM store"))
        items = dict(db.execute("SELECT id, name FROM item"))
        numbers = {name: number for number, name in items.items()}
        devices = {row[0]: row[1:] for row in db.execute(
            "SELECT id, name, storeID, status, labels, reportedLabels, runningDigest FROM device")}
        series = {row[0]: row[1:] for row in db.execute("SELECT id, storeID, itemID FROM series")}
        self.items = collections.defaultdict(set)
        for store, item in series.values():
            self.items[store].add(items[item])
        totals = collections.defaultdict(dict)
        for key, day, imported, uploaded in db.execute(
                "SELECT seriesID, day, importedUnits, uploadedUnits FROM dailySales"):
            totals[series[key]][day] = (imported, uploaded)
        known = {(store, day): (business, imported) for store, day, business, imported in db.execute(
            "SELECT storeID, day, closers > closersAllDay, imported FROM storeDay")}
        closers, reports = collections.defaultdict(set), collections.defaultdict(dict)
        for device, day, units, all_day in db.execute("SELECT deviceID, day, units, closedAllDay FROM deviceDay"):
            reports[devices[device][1], day][device] = (units, all_day)
            if all_day is not None:
                closers[devices[device][1], day].add(device)
        excluded = {}
        for store, item, day, kind in db.execute(
                "SELECT store, item, day, kind FROM calendarEntry WHERE kind IN ('closed', 'stock-out')"):
            for row in [row for row, name in self.stores.items() if store in ("", name)]:
                key = row, numbers.get(item, -1) if item else None, day
                if excluded.get(key) != "closed":
                    excluded[key] = kind
        packages = {bytes(row[0]): row[1:] for row in db.execute(
            "SELECT digest, family, variant, release, storeID FROM package")}
        given = collections.defaultdict(set)
        for device, digest in db.execute("SELECT deviceID, digest FROM rolloutDevice WHERE digest IS NOT NULL"):
            given[device, packages[bytes(digest)][2]].add(bytes(digest))
        for device, row in devices.items():
            if row[5] is not None and bytes(row[5]) in packages:
                given[device, packages[bytes(row[5])][2]].add(bytes(row[5]))
        families = {row[2]: row[0] for row in packages.values()}
        trained = {name: Family(json.loads(bytes(text))) for name, text in db.execute("SELECT name, trained FROM family")}

        def expected(store, day):
            closed = set().union(*(closers[store, day - back] for back in range(8)))
            return {device for device in closed if devices[device][2] == "approved"}

        def final(store, day):
            return bool(closers[store, day]) and expected(store, day) <= closers[store, day]

        def total(store, item, day):
            imported, uploaded = totals[store, item].get(day, (None, None))
            if imported is not None or uploaded is not None:
                return imported if imported is not None else uploaded
            return 0 if known.get((store, day), (0, 0))[0] else None

        def is_excluded(store, item, day):
            return (store, None, day) in excluded or (store, item, day) in excluded

        # A store's day as its devices are told it; of one that is not final, what its devices make of it.
        first_report = {}
        for store, day in reports:
            first_report[store] = min(day, first_report.get(store, day))

        def scale_of(store, day):
            there, waited = closers[store, day], expected(store, day) - closers[store, day]
            if not there:
                return 1.0
            own = everything = days = 0
            back = day - 1
            while back >= first_report.get(store, day) and days < 28:
                if final(store, back):
                    days += 1
                    everything += sum(units for units, _ in reports[store, back].values())
                    own += sum(units for device, (units, _) in reports[store, back].items() if device in there)
                back -= 1
            share = own / everything if everything else len(there) / len(there | waited)
            sold = {device: units for device, (units, _) in reports[store, day].items()}
            if share <= 0 or not sum(sold.values()):
                return 1.0
            by_closers = sum(units for device, units in sold.items() if device in there)
            return min(max(by_closers / share / sum(sold.values()), 1), 10)

        told_days = {}

        def told(store, item, day):
            if (store, day) not in known:
                return None
            if (store, day) not in told_days:
                imported = known[store, day][1]
                scale = 1.0 if imported or final(store, day) else scale_of(store, day)
                sold = {}
                for row in numbers.values():
                    own = totals[store, row].get(day)
                    if own:
                        sold[row] = own[0] if own[0] is not None else math.floor((own[1] or 0) * scale + 0.5)
                said = [all_day for units, all_day in reports[store, day].values()]
                nothing = bool(closers[store, day]) and all(
                    all_day in (1, None) and units == 0 for units, all_day in reports[store, day].values())
                told_days[store, day] = (sold, not any(sold.values()) and (imported or nothing))
            sold, closed = told_days[store, day]
            return "closed" if closed else sold.get(item, 0)

        def heeded(store, item, day):
            kinds = {excluded.get((store, None, day)), excluded.get((store, item, day))}
            return "closed" if "closed" in kinds else None if "stock-out" in kinds else told(store, item, day)

        rows = db.execute("""
            SELECT deviceID, itemID, day, release, units, level, inputsDigest FROM forecast ORDER BY day""").fetchall()
        first = {}
        for device, _, day, *_ in rows:
            first.setdefault(devices[device][1], day)
        scales = {}

        def scale(store, item):
            key = store, item
            if key not in scales:
                history = {d: (i if i is not None else u) for d, (i, u) in totals[key].items()
                           if d < first[store] and (store, d) in known}
                values = [history.get(d, 0) for d in range(min(history), first[store])] if history else []
                seasonal = [abs(a - b) for a, b in zip(values[7:], values)]
                steps = [(a - b) ** 2 for a, b in zip(values[1:], values)]
                moves = seasonal and sum(seasonal) > 0 and sum(steps) > 0
                scales[key] = (sum(seasonal) / len(seasonal), sum(steps) / len(steps)) if moves else None
            return scales[key]

        def uncompressed(store, item, day, release, level, stated):
            """The units, or why there are none; "brief" where the level is in the package alone."""
            candidates = [(digest, package) for digest, package in packages.items()
                          if package[2] == release and package[3] in (None, store)]
            if not stated:
                return "inputs"
            for digest, (family, variant, _, own) in candidates:
                if family not in trained:
                    continue
                if level == 0:
                    return "brief"
                # As devices see them: those that know the calendar, and the others.
                for seen in (heeded, told):
                    window = [seen(store, item, day + back) for back in range(-trained[family].window, 0)]
                    if checksum(digest, level, window) != stated:
                        continue
                    if trained[family].networks.get(variant) is None:
                        return "network"
                    return trained[family].forecast(
                        variant, self.stores.get(own), items[item], level, window, day)
            return "network" if not all(package[0] in trained for _, package in candidates) or not candidates else "inputs"

        past = collections.defaultdict(list)
        self.rows = []
        self.regions = {}
        for device, (name, store, status, own, reported, running) in devices.items():
            region = [label[7:] for label in (own + " " + reported).split() if label.startswith("region=")]
            self.regions[name] = region[0] if region else "no region"
        replayed = {}
        for device, item, day, release, units, level, stated in rows:
            name, store, *_ = devices[device]
            imported = totals[store, item].get(day, (None, None))[0]
            actual = None
            if not is_excluded(store, item, day) and (imported is not None or final(store, day)):
                actual = total(store, item, day)
            digests = given[device, release]
            unknown = f"not known (release {release})"
            package = packages[next(iter(digests))] if len(digests) == 1 else None
            row = {
                "chain": "chain", "horizon": "1 day ahead", "store": self.stores[store], "item": items[item],
                "device": name, "day": iso(day), "weekday": WEEKDAYS[(day + 3) % 7],
                "region": self.regions[name], "family": families.get(release, unknown),
                "variant": f"{package[0]} {package[1]}" if package else unknown,
                "package": f"{package[0]} {package[1]} release {release} {next(iter(digests)).hex()[:12]}" if package else unknown,
                "forecast": units, "actual": actual, "series": (store, item), "naive": None, "p90": None,
            }
            if actual is not None:
                row["naive"] = total(store, item, day - 7) if not is_excluded(store, item, day - 7) else None
                row["scale"] = scale(store, item)
                row["p90"] = p90(units, [(f, a) for d, f, a in past[device, item] if d >= day - 62])
                past[device, item].append((day, units, actual))
                key = store, item, day, release, level, stated
                if key not in replayed:
                    replayed[key] = uncompressed(*key)
                row["uncompressed"] = replayed[key]
            self.rows.append(row)

        # What came of what there should be.
        self.approved = {row[0]: (self.stores[row[1]], number) for number, row in devices.items() if row[2] == "approved"}
        self.closed = collections.defaultdict(dict)
        for (store, day), own in reports.items():
            for device, (_, all_day) in own.items():
                if all_day is not None:
                    self.closed[device][day] = all_day
        self.store_of = {number: row[1] for number, row in devices.items()}
        self.since = {number: (since, after, running is not None) for number, since, after, running in db.execute(
            "SELECT id, activeSince, forecastsExpectedAfter, runningDigest FROM device")}
        self.received = collections.Counter((device, day) for device, _, day, *_ in rows)

    def coverage(self, names, first, last):
        """Of some of the approved devices: forecasts and sales days, expected and received."""
        def within(day):
            return (first is None or iso(day) >= first) and (last is None or iso(day) <= last)
        weekdays = collections.defaultdict(set)
        for device, days in self.closed.items():
            weekdays[self.store_of[device]] |= {(day + 3) % 7 for day in days if within(day)}
        through = max((day for days in self.closed.values() for day in days if within(day)), default=None)
        sums = collections.Counter()
        for name in names:
            device = self.approved[name][1]
            store, days = self.store_of[device], {d: a for d, a in self.closed[device].items() if within(d)}
            since, after, runs = self.since[device]
            sums["devices"] += 1
            sums["devicesRunning"] += runs
            if not self.closed[device]:
                continue
            for day, all_day in days.items():
                if since is not None and not all_day and (after is None or day > after):
                    sums["expectedForecasts"] += len(self.items[store])
                    sums["receivedForecasts"] += min(len(self.items[store]), self.received[device, day])
            start = min(self.closed[device])
            for day in range(start, (through if through is not None else start - 1) + 1):
                if within(day) and (day in days or (day + 3) % 7 in weekdays[store]):
                    sums["expectedSalesDays"] += 1
                    sums["missingSalesDays"] += day not in days
        def share(received, of):
            return 100 * received / of if of else None
        return {key: sums[key] for key in (
            "devices", "devicesRunning", "expectedForecasts", "receivedForecasts", "expectedSalesDays", "missingSalesDays")} | {
            "coveragePercent": share(sums["receivedForecasts"], sums["expectedForecasts"]),
            "salesDaysPercent": share(sums["expectedSalesDays"] - sums["missingSalesDays"], sums["expectedSalesDays"])}


def mean(values):
    return sum(values) / len(values) if values else None


def figures(rows):
    known = [row for row in rows if row["actual"] is not None]
    error = {id(row): abs(row["forecast"] - row["actual"]) for row in known}
    sold = sum(row["actual"] for row in known)
    nonzero = [row for row in known if row["actual"] > 0]
    scaled = [row for row in known if row["scale"]]
    beside = [row for row in known if row["naive"] is not None]
    own = sum(error[id(row)] for row in beside)
    naive = sum(abs(row["naive"] - row["actual"]) for row in beside)
    beside_sold = sum(row["actual"] for row in beside)
    short = [row["actual"] - row["p90"] for row in known]
    series = collections.defaultdict(lambda: [0.0, 0.0])
    for row in beside:
        series[row["series"]][0] += error[id(row)]
        series[row["series"]][1] += abs(row["naive"] - row["actual"])
    squares = mean([error[id(row)] ** 2 / row["scale"][1] for row in scaled])
    added = 1 - own / naive if beside_sold and naive else None
    found = {
        "forecasts": len(known), "pendingForecasts": len(rows) - len(known),
        "actualUnits": sold, "forecastUnits": sum(row["forecast"] for row in known),
        "wapePercent": 100 * sum(error.values()) / sold if sold else None,
        "biasPercent": 100 * sum(row["forecast"] - row["actual"] for row in known) / sold if sold else None,
        "mapePercent": mean([100 * error[id(row)] / row["actual"] for row in nonzero]),
        "excludedZeroActuals": len(known) - len(nonzero),
        "smapePercent": mean([200 * error[id(row)] / (row["forecast"] + row["actual"])
                              if row["forecast"] + row["actual"] else 0 for row in known]),
        "mase": mean([error[id(row)] / row["scale"][0] for row in scaled]),
        "rmsse": math.sqrt(squares) if squares is not None else None,
        "p90Pinball": mean([max(0.9 * s, -0.1 * s) for s in short]),
        "p90CoveragePercent": mean([100 if s <= 0 else 0 for s in short]),
        "seasonalNaiveWapePercent": 100 * naive / beside_sold if beside_sold else None,
        "seasonalNaiveBiasPercent": 100 * sum(row["naive"] - row["actual"] for row in beside) / beside_sold if beside_sold else None,
        "valueAdded": added, "valueAddedPercent": None if added is None else 100 * added,
        "series": len(series), "seriesBetterThanNaive": sum(a < b for a, b in series.values()),
        "betterSharePercent": mean([100 if a < b else 0 for a, b in series.values()]),
        "firstDay": min((row["day"] for row in rows), default=None), "lastDay": max((row["day"] for row in rows), default=None),
    }
    if not any(row["uncompressed"] == "brief" for row in known):
        both = [row for row in known if isinstance(row["uncompressed"], float)]
        both_sold = sum(row["actual"] for row in both)
        device = sum(error[id(row)] for row in both)
        whole = sum(abs(row["uncompressed"] - row["actual"]) for row in both)
        found |= {
            "replayedForecasts": len(both), "unreplayedForecasts": 0,
            "uncompressedNetworkGone": sum(row["uncompressed"] == "network" for row in known),
            "forecastInputsUnknown": sum(row["uncompressed"] == "inputs" for row in known),
            "replayedWapePercent": 100 * device / both_sold if both_sold else None,
            "uncompressedWapePercent": 100 * whole / both_sold if both_sold else None,
            "compressionCostPoints": 100 * (device - whole) / both_sold if both_sold else None,
        }
    return found


# What the tile is called, by what is counted.
BETTER = ("Items that beat last week", "Stores where it beats last week", "Beats last week's weekday")
# Calculated here in double precision, in the hub in single.
SINGLE = {"uncompressedWapePercent": 1e-3, "compressionCostPoints": 1e-3}
# Figures as people read them: heading of a page, heading in the terminal, key, digits behind the point.
SHOWN = [
    ("Compared", "FORECASTS", "forecasts", 0), ("WAPE %", "WAPE%", "wapePercent", 2), ("Bias %", "BIAS%", "biasPercent", 2),
    ("MAPE %", "MAPE%", "mapePercent", 2), ("Zeros", "ZEROS", "excludedZeroActuals", 0),
    ("Added %", "ADDED%", "valueAddedPercent", 2), ("Beat %", "BEAT%", "betterSharePercent", 1),
    ("Naive %", "NAIVE%", "seasonalNaiveWapePercent", 2), ("sMAPE %", "SMAPE%", "smapePercent", 2), ("MASE", "MASE", "mase", 3),
    ("RMSSE", "RMSSE", "rmsse", 3), ("P90 loss", "PINB90", "p90Pinball", 3), ("In P90 %", "IN90%", "p90CoveragePercent", 1),
    ("Pending", "PEND", "pendingForecasts", 0), ("Cost", "COST", "compressionCostPoints", 2),
    ("Uncompressed %", "UNCMP%", "uncompressedWapePercent", 2), ("Received %", "COVER%", "coveragePercent", None),
    (None, "LACK", "missingForecasts", 0), ("Devices", None, "devices", 0),
]


class Selection:
    def __init__(self, store=None, region=None, device=None, item=None, first=None, last=None):
        self.store, self.region, self.device, self.item, self.first, self.last = store, region, device, item, first, last

    @property
    def options(self):
        pairs = zip(("--store", "--region", "--device", "--item", "--from", "--to"),
                    (self.store, self.region, self.device, self.item, self.first, self.last))
        return [word for option, value in pairs if value is not None for word in (option, value)]

    def has(self, row):
        return all(wanted in (None, row[part]) for part, wanted in (
            ("store", self.store), ("region", self.region), ("device", self.device), ("item", self.item))) \
            and (self.first is None or row["day"] >= self.first) and (self.last is None or row["day"] <= self.last)

    def devices(self, raw, store=None):
        return [name for name, (at, _) in raw.approved.items()
                if self.store in (None, at) and store in (None, at) and self.device in (None, name)
                and self.region in (None, raw.regions[name])]


class Page(html.parser.HTMLParser):
    """The tables of a page by the heading above them, its tiles, and the sentence about compression."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tiles, self.compression, self.heading, self.fields = [], {}, "", "", {}
        self.into, self.words, self.term = None, "", ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "table":
            self.tables.append((self.heading, []))
        elif tag == "tr" and self.tables:
            self.tables[-1][1].append([])
        elif tag in ("h2", "h3", "th", "td", "dt") or tag == "dd" and "class" not in attributes \
                or tag == "p" and "compression" in attributes.get("class", ""):
            self.into, self.words = tag, ""
        elif tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes["value"]

    def handle_data(self, data):
        self.words += data

    def handle_endtag(self, tag):
        if tag != self.into:
            return
        words, self.into = self.words.strip(), None
        if tag in ("h2", "h3"):
            self.heading = words
        elif tag in ("th", "td") and self.tables:
            self.tables[-1][1][-1].append(words.rstrip(" ↑↓"))
        elif tag == "dt":
            self.term = words
        elif tag == "dd":
            self.tiles.setdefault(self.term, words)
        elif tag == "p":
            self.compression = words

    def table(self, heading):
        return next((rows for name, rows in self.tables if name == heading), None)


class Browser:
    """Somebody who is signed in."""

    def __init__(self, address, user, password):
        self.address, self.cookies = address.rstrip("/"), {}
        form = Page(self.get("/sign-in"))
        self.get("/sign-in", urllib.parse.urlencode(form.fields | {"name": user, "password": password}).encode())

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    def get(self, path, form=None):
        request = urllib.request.Request(self.address + path, form, {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), "Origin": self.address})
        try:
            answer = urllib.request.build_opener(self.Stay()).open(request, timeout=60)
        except urllib.error.HTTPError as error:
            if error.code != 303:
                raise
            answer = error
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer.read().decode()


class Check:
    def __init__(self, hub, data):
        self.hub, self.data = hub, data
        self.ask("report", "replay")
        self.raw = Raw(data + "/hub.sqlite")
        self.compared, self.faults, self.forms = 0, [], collections.Counter()

    def ask(self, *words, columns=400):
        return subprocess.run(
            [self.hub, *words, "--data", self.data], check=True, capture_output=True, text=True,
            env=os.environ | {"COLUMNS": str(columns)}).stdout

    def fault(self, words):
        self.faults.append(words)

    def figure(self, where, key, got, wanted):
        self.compared += 1
        if isinstance(wanted, str) or wanted is None or got is None:
            # Where no item of any line has a last week, none were counted.
            same = got == wanted or got is None and wanted == 0 and key in ("series", "seriesBetterThanNaive")
        else:
            same = math.isclose(got, wanted, rel_tol=1e-9, abs_tol=SINGLE.get(key, 1e-9))
        if not same:
            self.fault(f"{where}: {key} is {got}, and should be {wanted}")

    def shown(self, where, key, got, wanted, digits):
        """As it is printed: rounded, and n/a where it is not known."""
        self.compared += 1
        got = got.removesuffix(" %")
        if wanted is None or got == "n/a":
            same = (wanted is None) == (got == "n/a")
        else:
            same = abs(float(got) - wanted) <= 0.5 * 10 ** -digits + SINGLE.get(key, 1e-6)
        if not same:
            self.fault(f"{where}: {key} is shown as {got}, and should be {wanted}")

    def groups(self, view, selection, also=()):
        groups = collections.defaultdict(list, {name: [] for name in also})
        for row in self.raw.rows:
            if selection.has(row):
                groups[row[view]].append(row)
        return {name: figures(rows) for name, rows in groups.items()}

    def names(self, where, found, wanted):
        if set(found) == set(wanted):
            return True
        self.fault(f"{where}: lines {sorted(found)}, and there are {sorted(wanted)}")
        return False

    def named_stores(self, selection):
        if selection.region is not None or selection.device is not None:
            return []
        return [store for store in self.raw.stores.values() if selection.store in (None, store)]

    def covered(self, selection, store=None):
        return self.raw.coverage(selection.devices(self.raw, store), selection.first, selection.last)

    def json(self, view, selection):
        where = f"json {view} {' '.join(selection.options)}"
        found = json.loads(self.ask("report", "--by", view, "--json", *selection.options))
        groups = self.groups(view, selection)
        lines = {line["name"]: line for line in found["lines"]}
        if self.names(where, lines, groups):
            for name, wanted in groups.items():
                for key, value in wanted.items():
                    if key != "valueAddedPercent":
                        self.figure(f"{where} {name}", key, lines[name][key], value)
        whole = figures([row for row in self.raw.rows if selection.has(row)]) if groups else {}
        for key, value in (whole | self.covered(selection)).items():
            if key != "valueAddedPercent":
                self.figure(f"{where} (all)", key, found["chain"][key], value)
        for line in found["stores"]:
            for key, value in self.covered(selection, line["store"]).items():
                self.figure(f"{where} {line['store']}", key, line[key], value)
        self.forms["JSON"] += 1

    def csv(self, view, selection):
        where = f"csv {view} {' '.join(selection.options)}"
        found = {row[view]: row for row in csv.DictReader(io.StringIO(
            self.ask("report", "--by", view, "--csv", *selection.options), newline=""))}
        groups = self.groups(view, selection, self.named_stores(selection) if view == "store" else ())
        if self.names(where, found, groups):
            for name, wanted in groups.items():
                for key in set(wanted) & set(found[name]):
                    text, value = found[name][key], wanted[key]
                    got = text if key in ("firstDay", "lastDay") else float(text) if text else None
                    self.figure(f"{where} {name}", key, got or None if value is None else got, value)
        self.forms["CSV"] += 1

    def row(self, where, headings, cells, wanted, column):
        """One row of a table that people read: its cells in the order of its headings."""
        for heading, cell in zip(headings, cells):
            for one in SHOWN:
                if one[column] is not None and one[column] == heading and one[2] in wanted:
                    digits = one[3] if one[3] is not None else 2 if column == 1 else 1
                    self.shown(where, one[2], cell, wanted[one[2]], digits)

    def terminal(self, view, selection):
        where = f"terminal {view} {' '.join(selection.options)}"
        lines = self.ask("report", "--by", view, *selection.options).splitlines()
        headings = lines[0].split()
        groups = self.groups(view, selection, self.named_stores(selection) if view == "store" else ())
        found = {}
        # A name may have several words.
        for line in lines[1:len(groups) + 1]:
            words = line.rsplit(None, len(headings) - 1)
            found[words[0].strip()] = words[1:]
        if self.names(where, found, groups):
            for name, wanted in groups.items():
                if view == "store":
                    own = self.covered(selection, name)
                    wanted = wanted | own | {"missingForecasts": own["expectedForecasts"] - own["receivedForecasts"]}
                self.row(f"{where} {name}", headings[1:], found[name], wanted, 1)
        # Whatever is left out for width, these stay.
        narrow = self.ask("report", "--by", view, *selection.options, columns=100).splitlines()
        table = narrow[:len(groups) + 1]
        longest = max(map(len, groups), default=0)
        if any(len(line) > max(100, longest + 60) for line in table):
            self.fault(f"{where}: wider than 100 columns: {max(map(len, table))}")
        for heading in ("FORECASTS", "WAPE%", "BIAS%", "ADDED%") + (("COVER%",) if view == "store" else ()):
            if heading not in table[0].split():
                self.fault(f"{where}: {heading} is not in {table[0]}")
        self.forms["terminal"] += 1

    def html_table(self, where, table, groups):
        if table is None:
            return self.fault(f"{where}: there is no such table")
        found = {row[0]: row[1:] for row in table[1:]}
        if self.names(where, found, groups):
            for name, wanted in groups.items():
                self.row(f"{where} {name}", table[0][1:], found[name], wanted, 0)

    def tiles(self, where, page, wanted):
        for title, key, digits in (
                ("WAPE", "wapePercent", 2), ("Bias", "biasPercent", 2), ("Value added", "valueAddedPercent", 2),
                ("MAPE", "mapePercent", 2), ("Within P90", "p90CoveragePercent", 1)):
            self.shown(where, key, page.tiles.get(title, "nothing"), wanted[key], digits)
        better = [page.tiles[title] for title in page.tiles if title in BETTER]
        # One item of one store beats it or does not.
        share = {"yes": "100 %", "no": "0 %"}.get(better[0], better[0]) if better else "nothing"
        self.shown(where, "betterSharePercent", share, wanted["betterSharePercent"], 1)
        if "compressionCostPoints" in wanted:
            cost = wanted["compressionCostPoints"]
            said = page.compression.partition("compression costs ")[2].split(" ")[0]
            if cost is None:
                if "not known" not in page.compression:
                    self.fault(f"{where}: of compression it says '{page.compression}'")
            else:
                self.shown(where, "compressionCostPoints", said or "nothing", cost, 2)

    def html(self, selection):
        where = f"html {' '.join(selection.options)}"
        page = Page(self.ask("report", "--html", "-", *selection.options))
        self.tiles(where, page, figures([row for row in self.raw.rows if selection.has(row)]))
        headings = {"Stores": "store", "Regions": "region", "Items": "item", "Weekdays": "weekday", "Horizon": "horizon",
                    "Families": "family", "Variants": "variant", "Packages": "package", "Devices": "device"}
        if not any(region != "no region" for region in self.raw.regions.values()):
            del headings["Regions"]
        for heading, view in headings.items():
            also = self.named_stores(selection) if view == "store" else ()
            self.html_table(f"{where} {view}", page.table(heading), self.groups(view, selection, also))
        days = next((rows for _, rows in page.tables if rows[0][0] == "Day"), None)
        # Whether an item beat last week's is not said of a day there.
        groups = self.groups("day", selection)
        for own in groups.values():
            own["betterSharePercent"] = None
        self.html_table(f"{where} day", days, groups)
        self.forms["HTML"] += 1

    def pages(self, browser, first, last):
        for query, selection in (("?days=all", Selection()), (f"?from={first}&to={last}", Selection(first=first, last=last))):
            where = f"page stores{query}"
            page = Page(browser.get("/stores" + query))
            groups = self.groups("store", selection, self.raw.stores.values())
            for store in groups:
                groups[store] |= self.covered(selection, store)
            self.html_table(where, page.tables[0][1], groups)
            self.forms["pages"] += 1
            for store in self.raw.stores.values():
                self.store_page(browser, query, Selection(store=store, first=selection.first, last=selection.last))

    def store_page(self, browser, query, selection):
        where, store = f"page stores/{selection.store}{query}", selection.store
        page = Page(browser.get(f"/stores/{urllib.parse.quote(store)}" + query))
        rows = [row for row in self.raw.rows if selection.has(row)]
        self.tiles(where, page, figures(rows))
        number = next(row for row, name in self.raw.stores.items() if name == store)
        self.html_table(f"{where} item", page.table("Items"), self.groups("item", selection, self.raw.items[number]))
        self.html_table(f"{where} weekday", page.table("Weekdays"), self.groups("weekday", selection))
        if rows:
            self.html_table(f"{where} package", page.table("Packages"), self.groups("package", selection))
        self.forms["pages"] += 1
        for item in sorted({row["item"] for row in rows}):
            for device in sorted({row["device"] for row in rows if row["item"] == item}):
                path = f"/stores/{urllib.parse.quote(store)}/items/{urllib.parse.quote(item)}{query}&device={device}"
                page = Page(browser.get(path))
                self.tiles(f"page {path}", page, figures([row for row in rows if row["item"] == item]))
                own = {row["day"]: row for row in rows if (row["item"], row["device"]) == (item, device)}
                table = next((rows for _, rows in page.tables if rows[0][:2] == ["Day", "Sold"]), [[]])
                found = {row[0]: row[1:] for row in table[1:]}
                if self.names(f"page {path}", found, own):
                    for day, row in own.items():
                        sold, forecast, high, error, naive = found[day][:5]
                        if (sold == "pending") != (row["actual"] is None):
                            self.fault(f"page {path} {day}: sold is shown as {sold}, and is {row['actual']}")
                        elif row["actual"] is not None:
                            self.shown(f"page {path} {day}", "sold", sold, row["actual"], 0)
                            self.shown(f"page {path} {day}", "error", error, row["forecast"] - row["actual"], 2)
                        self.shown(f"page {path} {day}", "forecast", forecast, row["forecast"], 2)
                        self.shown(f"page {path} {day}", "P90", high, row["p90"], 0)
                        self.shown(f"page {path} {day}", "naive", naive, row["naive"], 0)
                self.forms["pages"] += 1


def main(hub, data, *pages):
    check = Check(hub, data)
    raw = check.raw
    days = sorted({row["day"] for row in raw.rows})
    early, middle, late = days[len(days) // 4], days[len(days) // 3], days[2 * len(days) // 3]
    store = sorted(raw.stores.values())[0]
    item = sorted({row["item"] for row in raw.rows})[0]
    device = sorted({row["device"] for row in raw.rows})[0]
    own = next(row["store"] for row in raw.rows if row["device"] == device)
    selections = [
        Selection(), Selection(store=store), Selection(device=device), Selection(item=item, first=middle),
        Selection(first=early, last=late), Selection(store=own, device=device, item=item),
        Selection(store=store, item=item, last=late),
    ]
    for region in sorted(set(raw.regions.values()) - {"no region"}):
        selections += [Selection(region=region), Selection(region=region, item=item, first=middle)]
    for selection in selections:
        for view in VIEWS:
            check.json(view, selection)
            if selection in (selections[0], selections[4], selections[-1]):
                check.csv(view, selection)
                check.terminal(view, selection)
    for selection in (selections[0], selections[1], selections[4], selections[-1]):
        check.html(selection)
    if pages:
        check.pages(Browser(*pages), early, late)
    replayed = sum(isinstance(row.get("uncompressed"), float) for row in raw.rows)
    print(f"compared {check.compared} figures of {len(VIEWS)} views and {len(selections)} selections "
          f"({', '.join(f'{count} {form}' for form, count in check.forms.items())}), "
          f"from {len(raw.rows)} forecasts, {replayed} of them replayed uncompressed: {len(check.faults)} differ")
    for fault in check.faults[:20]:
        print("  " + fault)
    return 1 if check.faults or not check.compared else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 6):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
