#!/usr/bin/env python3
"""Compares 'shelfcast-hub report' with a plain calculation from the raw tables, for every view.

usage: check_report.py HUB-PROGRAM DATA-DIRECTORY

Reads forecast, dailySales, storeDay, deviceDay, device, package and rolloutDevice alone, none of the report's own tables.
Prints what it compared; the exit status is 1 and the differences are listed when there are any.
"""
import collections, datetime, json, math, sqlite3, subprocess, sys

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


class Raw:
    """Every forecast beside what is known of its day."""

    def __init__(self, path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.stores = dict(db.execute("SELECT id, name FROM store"))
        items = dict(db.execute("SELECT id, name FROM item"))
        devices = {row[0]: row[1:] for row in db.execute(
            "SELECT id, name, storeID, status, labels, reportedLabels, runningDigest FROM device")}
        series = dict(db.execute("SELECT id, storeID || '/' || itemID FROM series"))
        totals = collections.defaultdict(dict)
        for key, day, imported, uploaded in db.execute(
                "SELECT seriesID, day, importedUnits, uploadedUnits FROM dailySales"):
            totals[series[key]][day] = (imported, uploaded)
        known = {(store, day): business for store, day, business in db.execute(
            "SELECT storeID, day, closers > closersAllDay FROM storeDay")}
        closers = collections.defaultdict(set)
        for device, day in db.execute("SELECT deviceID, day FROM deviceDay WHERE closedAllDay IS NOT NULL"):
            closers[devices[device][1], day].add(device)
        packages = {bytes(row[0]): row[1:] for row in db.execute("SELECT digest, family, variant, release FROM package")}
        given = collections.defaultdict(set)
        for device, digest in db.execute("SELECT deviceID, digest FROM rolloutDevice WHERE digest IS NOT NULL"):
            given[device, packages[bytes(digest)][2]].add(bytes(digest))
        for device, row in devices.items():
            if row[5] is not None and bytes(row[5]) in packages:
                given[device, packages[bytes(row[5])][2]].add(bytes(row[5]))
        families = {row[2]: row[0] for row in packages.values()}

        def final(store, day):
            closed = closers[store, day]
            expected = set().union(*(closers[store, day - back] for back in range(8)))
            return bool(closed) and {d for d in expected if devices[d][2] == "approved"} <= closed

        def total(store, item, day):
            imported, uploaded = totals[f"{store}/{item}"].get(day, (None, None))
            if imported is not None or uploaded is not None:
                return imported if imported is not None else uploaded
            return 0 if known.get((store, day)) else None

        rows = db.execute("SELECT deviceID, itemID, day, release, units FROM forecast ORDER BY day").fetchall()
        first = {}
        for device, _, day, _, _ in rows:
            first.setdefault(devices[device][1], day)
        scales = {}

        def scale(store, item):
            key = store, item
            if key not in scales:
                history = {d: (i if i is not None else u) for d, (i, u) in totals[f"{store}/{item}"].items()
                           if d < first[store] and (store, d) in known}
                values = [history.get(d, 0) for d in range(min(history), first[store])] if history else []
                seasonal = [abs(a - b) for a, b in zip(values[7:], values)]
                steps = [(a - b) ** 2 for a, b in zip(values[1:], values)]
                moves = seasonal and sum(seasonal) > 0 and sum(steps) > 0
                scales[key] = (sum(seasonal) / len(seasonal), sum(steps) / len(steps)) if moves else None
            return scales[key]

        past = collections.defaultdict(list)
        self.rows = []
        for device, item, day, release, units in rows:
            name, store, _, own, reported, _ = devices[device]
            imported = totals[f"{store}/{item}"].get(day, (None, None))[0]
            actual = total(store, item, day) if imported is not None or final(store, day) else None
            region = [label[7:] for label in (own + " " + reported).split() if label.startswith("region=")]
            digests = given[device, release]
            unknown = f"not known (release {release})"
            package = packages[next(iter(digests))] if len(digests) == 1 else None
            row = {
                "chain": "chain", "horizon": "1 day ahead", "store": self.stores[store], "item": items[item],
                "device": name, "day": iso(day), "weekday": WEEKDAYS[(day + 3) % 7],
                "region": region[0] if region else "no region", "family": families.get(release, unknown),
                "variant": f"{package[0]} {package[1]}" if package else unknown,
                "package": f"{package[0]} {package[1]} release {release} {next(iter(digests)).hex()[:12]}" if package else unknown,
                "forecast": units, "actual": actual, "series": (store, item),
            }
            if actual is not None:
                row["naive"] = total(store, item, day - 7)
                row["scale"] = scale(store, item)
                row["p90"] = p90(units, [(f, a) for d, f, a in past[device, item] if d >= day - 62])
                past[device, item].append((day, units, actual))
            self.rows.append(row)


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
    besideSold = sum(row["actual"] for row in beside)
    short = [row["actual"] - row["p90"] for row in known]
    series = collections.defaultdict(lambda: [0.0, 0.0])
    for row in beside:
        series[row["series"]][0] += error[id(row)]
        series[row["series"]][1] += abs(row["naive"] - row["actual"])
    squares = mean([error[id(row)] ** 2 / row["scale"][1] for row in scaled])
    return {
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
        "seasonalNaiveWapePercent": 100 * naive / besideSold if besideSold else None,
        "valueAdded": 1 - own / naive if besideSold and naive else None,
        "betterSharePercent": mean([100 if a < b else 0 for a, b in series.values()]),
    }


def main(hub, data):
    raw = Raw(data + "/hub.sqlite")
    days = sorted({row["day"] for row in raw.rows})
    store = sorted(raw.stores.values())[0]
    item = sorted({row["item"] for row in raw.rows})[0]
    device = sorted({row["device"] for row in raw.rows})[0]
    selections = [
        ([], lambda row: True),
        (["--store", store], lambda row: row["store"] == store),
        (["--device", device], lambda row: row["device"] == device),
        (["--item", item, "--from", days[len(days) // 3]],
         lambda row: row["item"] == item and row["day"] >= days[len(days) // 3]),
        (["--from", days[len(days) // 4], "--to", days[2 * len(days) // 3]],
         lambda row: days[len(days) // 4] <= row["day"] <= days[2 * len(days) // 3]),
    ]
    compared, faults = 0, []
    for options, chosen in selections:
        rows = [row for row in raw.rows if chosen(row)]
        for view in VIEWS:
            found = json.loads(subprocess.run(
                [hub, "report", "--by", view, "--json", "--data", data, *options],
                check=True, capture_output=True, text=True).stdout)
            groups = collections.defaultdict(list)
            for row in rows:
                groups[row[view]].append(row)
            lines = {line["name"]: line for line in found["lines"]}
            if set(lines) != set(groups):
                faults.append(f"{view} {options}: lines {sorted(lines)}, and there are {sorted(groups)}")
                continue
            for name, group in groups.items():
                for figure, wanted in figures(group).items():
                    got = lines[name][figure]
                    compared += 1
                    same = got is None and wanted is None or None not in (got, wanted) and math.isclose(
                        got, wanted, rel_tol=1e-9, abs_tol=1e-9)
                    if not same:
                        faults.append(f"{view} {name} {options}: {figure} is {got}, and should be {wanted}")
    print(f"compared {compared} figures of {len(VIEWS)} views and {len(selections)} selections, "
          f"from {len(raw.rows)} forecasts: {len(faults)} differ")
    for fault in faults[:20]:
        print("  " + fault)
    return 1 if faults or not compared else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
