#!/usr/bin/env python3
"""Writes decimal_golden.h, zone_golden.h and week_golden.h: expected values by Python's own decimal, datetime
and zoneinfo modules. Run by hand after a change of the cases; the results are committed."""
import datetime
import decimal
import os
import random
import subprocess
import zoneinfo

D = decimal.Decimal
here = os.path.dirname(os.path.abspath(__file__))
random.seed(20201021)
decimal.getcontext().prec = 400
decimal.getcontext().rounding = decimal.ROUND_HALF_UP


def rounded(value, scale):
    return int((value * D(10) ** scale).to_integral_value(decimal.ROUND_HALF_UP))


def fits(unscaled, precision):
    return abs(unscaled) < 10 ** precision


def operand():
    digits = random.choice([1, 2, 5, 9, 17, 18, 19, 25, 37, 38])
    scale = random.randint(0, min(38, digits + 3))
    value = random.randint(-(10 ** digits) + 1, 10 ** digits - 1)
    if random.random() < 0.05:
        value = random.choice([0, 1, -1, 10 ** digits - 1, 1 - 10 ** digits])
    return value, scale


def decimal_cases(out):
    out.write("static const struct op_case op_cases[] = {\n")
    done = 0
    while done < 600:
        (a, sa), (b, sb) = operand(), operand()
        op = random.choice("+-*/%")
        if b == 0 and op in "/%":
            continue
        p = random.choice([5, 18, 20, 38, 38])
        s = random.randint(0, p)
        x, y = D(a).scaleb(-sa), D(b).scaleb(-sb)
        if op == "%":
            scale = max(sa, sb)
            ia, ib = a * 10 ** (scale - sa), b * 10 ** (scale - sb)
            rest = abs(ia) % abs(ib)
            exact = D(-rest if a < 0 else rest).scaleb(-scale)
        else:
            exact = {"+": x + y, "-": x - y, "*": x * y}.get(op) if op != "/" else None
        if op == "/":
            n, d = a * 10 ** (sb + s), b * 10 ** sa
            q, r = divmod(abs(n), abs(d))
            q += 2 * r >= abs(d)
            r = -q if (n < 0) != (d < 0) else q
        else:
            r = rounded(exact, s)
        out.write('    {\'%s\', "%d", %d, "%d", %d, %d, %d, %s},\n' % (
            op, a, sa, b, sb, p, s, '"%d"' % r if fits(r, p) else "NULL"))
        done += 1
    out.write("};\n\n")


def parse_cases(out):
    out.write("static const struct parse_case parse_cases[] = {\n")
    texts = ["38.48", "0", "-0.5", "7", "12345678", "1234.5678", "1.", ".5", "-.5", "+3.14", "0.005", "0.0049999",
             "1e3", "1E-3", "12.5e1", "-1.5E+2", "999.995", "99999999999999999999.5", "0.000000000000000000001",
             "1e-400", "1e400", "0e400", "00012.500", "100000000000000000", "999999999999999999", "123456789.987654321",
             "1" + "0" * 60, "0." + "0" * 60 + "1", "5e-3", "4.9e-3", "99.995"]
    for _ in range(300):
        n = random.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 18, 20, 30, 38])
        t = "".join(random.choice("0123456789") for _ in range(n))
        if random.random() < 0.7:
            at = random.randint(0, n)
            t = t[:at] + "." + t[at:]
        texts.append(random.choice(["", "-"]) + t)
    for t in texts:
        for p, s in [(10, 2), (18, 0), (18, 18), (38, 10), (38, 38), (3, 1), (9, 9)]:
            r = rounded(D(t if t not in () else "0"), s)
            out.write('    {"%s", %d, %d, %s},\n' % (t, p, s, '"%d"' % r if fits(r, p) else "NULL"))
    out.write("};\n\n")


def float_cases(out):
    out.write("static const struct float_case float_cases[] = {\n")
    values = [0.0, -0.0, 0.1, 1.005, 2.675, 0.5, 1.5, 2.5, -2.5, 1e22, 1e37, 9.99e37, 1e38, 1e-10, 5e-324, 1.7e308, 123456.789,
              0.00390625, 99999.99999]
    values += [random.uniform(-1, 1) * 10 ** random.randint(-20, 38) for _ in range(150)]
    for v in values:
        for p, s in [(38, 0), (38, 2), (18, 6), (38, 30)]:
            r = rounded(D(v), s)
            out.write('    {%s, %d, %d, %s},\n' % (v.hex(), p, s, '"%d"' % r if fits(r, p) else "NULL"))
    out.write("};\n\nstatic const struct to_float_case to_float_cases[] = {\n")
    for _ in range(200):
        v, s = operand()
        out.write('    {"%d", %d, %s},\n' % (v, s, float(D(v).scaleb(-s)).hex()))
    out.write("};\n")


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Asia/Kolkata", "Australia/Lord_Howe",
         "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns", "Europe/Dublin", "Asia/Tehran"]


def zone_cases(out):
    utc = datetime.timezone.utc
    epoch = datetime.datetime(1970, 1, 1)
    out.write("static const struct utc_case utc_cases[] = {\n")
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        for _ in range(60):
            t = random.randint(-2208988800, 1704067200 if _ % 3 else 7258118400)
            if name in ("Africa/Casablanca", "Asia/Tehran", "America/Sao_Paulo", "Europe/Dublin") and t > 1640995200:
                t = 1640995200 - t % 1000000000  # rules of these change between versions of tzdata
            local = (epoch.replace(tzinfo=utc) + datetime.timedelta(seconds=t)).astimezone(zone)
            offset = int(local.utcoffset().total_seconds())
            out.write('    {"%s", %d, %d},\n' % (name, t, offset))
    out.write("};\n\nstatic const struct local_case local_cases[] = {\n")
    # fold=0 is java.time's choice too: the earlier offset in an overlap, the offset before a gap.
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        picks = []
        t = datetime.datetime(1990, 1, 1)
        last = zone.utcoffset(t)
        while t < datetime.datetime(2021, 1, 1):
            t += datetime.timedelta(hours=1)
            now = zone.utcoffset(t)
            if now != last:
                picks.append(t)
            last = now
        picks = random.sample(picks, min(12, len(picks)))
        for around in picks:
            for minutes in (-150, -90, -61, -60, -59, -45, -31, -30, -1, 0, 1, 30, 60, 90):
                local = around + datetime.timedelta(minutes=minutes)
                offset = int(local.replace(tzinfo=zone, fold=0).utcoffset().total_seconds())
                seconds = int((local - epoch).total_seconds())
                out.write('    {"%s", %d, %d},\n' % (name, seconds, seconds - offset))
    out.write("};\n")


def week_cases(out):
    out.write("static const struct week_case week_cases[] = {\n")
    first = datetime.date(1970, 1, 1)
    for _ in range(200):
        day = datetime.date.fromordinal(random.randint(1, 3652059))
        if random.random() < 0.6:
            day = datetime.date(day.year, random.choice([1, 12]), random.choice([1, 2, 3, 4, 28, 29, 30, 31]))
        iso = day.isocalendar()
        out.write("    {%d, %d, %d, %d},\n" % ((day - first).days, iso[0], iso[1], day.isoweekday() % 7 + 1))
    out.write("};\n")


HEAD = "/* Written by golden.py; do not edit. */\n"
with open(os.path.join(here, "decimal_golden.h"), "w") as f:
    f.write(HEAD)
    decimal_cases(f)
    parse_cases(f)
    float_cases(f)
with open(os.path.join(here, "zone_golden.h"), "w") as f:
    f.write(HEAD)
    zone_cases(f)
with open(os.path.join(here, "week_golden.h"), "w") as f:
    f.write(HEAD)
    week_cases(f)
for name in ("decimal", "zone", "week"):
    subprocess.run(["clang-format", "-i", os.path.join(here, name + "_golden.h")], check=True)
