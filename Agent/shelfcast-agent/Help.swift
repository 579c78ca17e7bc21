/// The texts of `--help`.
enum Help {
    static let overview = """
        shelfcast-agent: forecasts demand on this device, and keeps in touch with its hub.

        USAGE
          shelfcast-agent COMMAND [OPTIONS]

        COMMANDS
          join TOKEN     join a hub with a token made there
          run            keep running: local API, and contact with the hub
          sync           one visit to the hub
          sale           record sales
          return         take units back
          stock          say what is on the shelf, or ask
          ordered        say what has been ordered for it
          close-day      close a business day
          forecast       show the forecasts
          subscribe      show forecasts and restock alerts as they happen
          status         show what runs, why, and what waits
          selftest       prove that this CPU computes what every other does
          benchmark      time forecasts on this device
          doctor         say what is wrong with this device, and what to do

        OPTIONS OF EVERY COMMAND
          --state DIR    where the device keeps everything
                         (default: $SHELFCAST_STATE, else /var/lib/shelfcast)
          --help         help on a command
          --version      the version, and that of the state it keeps

        EXIT CODES
          0 ok   1 failed   2 usage   3 refused   4 not joined   5 hub unreachable   75 busy, try again

        """

    static let join = """
        Joins the hub that made TOKEN: makes this device's key, checks the hub's CA against the token, and
        gets a certificate. Repeating a join that was cut off is safe.

        USAGE
          shelfcast-agent join TOKEN [--memory-budget BYTES] [--label KEY=VALUE]... [--again]

        OPTIONS
          --memory-budget BYTES  what a model may take: 20480, 20KiB or 1MiB
                                 (default: a thousandth of the memory, 4 KiB to 1 MiB)
          --label KEY=VALUE      what the hub may select devices by; may be repeated
          --again                join anew although this device has joined: it becomes another device

        EXAMPLE
          shelfcast-agent join shelfcast1.CglsbG9jYWxob3N0... --memory-budget 20KiB --label aisle=dairy

        """

    static let run = """
        Runs until it is stopped: takes sales and questions on the socket agent.sock in the state directory,
        and keeps in touch with the hub. Without a hub it works on, and sends everything when it is back.
        A device that has not joined waits for a join token: in the file join-token of the state directory,
        renamed to join-token.used afterwards, or in /etc/shelfcast/token, as shelfcast.token=TOKEN on the kernel's
        command line, or so in an asset tag of the machine (DMI). A copy of a device that has joined, as after
        cloning a disk, is found out by the hub, and joins as its own with the same token.

        USAGE
          shelfcast-agent run [--contact stay|visit] [--close-at HH:MM] [--memory-budget BYTES]
                              [--sales every|daily] [--commit-every SECONDS] [--outbox-max BYTES]
                              [--config FILE]

        Each option but --state may stand in the configuration file instead, without its dashes:
        close-at = "22:30". The command line wins.

        OPTIONS
          --config FILE          the configuration (default: $SHELFCAST_CONFIG, else
                                 /etc/shelfcast/agent.toml where there is one)
          --contact stay|visit   stay: connection open, the hub pushes (default)
                                 visit: connect, exchange, leave until the hub's next time (battery)
          --close-at HH:MM       close the business day by the clock, in the store's time zone; a time
                                 before noon closes the day before
          --memory-budget BYTES  a new budget, kept
          --lead-days N          goods ordered on a day are on the shelf so many days later (0 to 10; default 2)
          --service-level PERCENT   how probably stock is to last until they are (50 to 99; default 95)
          --order-multiple N     orders are a multiple of so many units (default 1); all three for items
                                 of which a stock line says nothing else
          --sales every|daily    every: each sale goes to the hub (default)
                                 daily: a closed day's totals go, and no single sales
          --commit-every 60s     sales wait up to so long for the disk: less is written, and a power cut
                                 takes them with it. They are answered with "durable":false; close-day
                                 and a stop put them on the disk at once (default: 0s, each before its answer)
          --outbox-max BYTES     what may wait for a hub that is away, 1MiB to 4096MiB (default: 16MiB);
                                 beyond it the oldest sales become totals per day and item
          --data-max BYTES       over the network in one day (UTC), TLS included: a package waits for tomorrow
                                 when three quarters are used, everything when all are
          --metered              the link is paid for by the byte: an update that takes more than 8 KiB waits,
                                 until the hub's operator allows it or somebody runs sync here
          --metered-max BYTES    the same with another limit than 8 KiB
          --low-battery PERCENT  from here down, on battery, fetch no package and visit four times as
                                 rarely, but daily (default: 0, never)

        EXAMPLE
          shelfcast-agent run --state /var/lib/shelfcast --close-at 22:30

        """

    static let sync = """
        One visit: sends what waits, takes the store's totals and what should run, and leaves. With a running
        agent, that one does it.

        USAGE
          shelfcast-agent sync [--memory-budget BYTES]

        EXAMPLE
          shelfcast-agent sync --state /var/lib/shelfcast

        """

    static let sale = """
        Records units sold. With --ref a repetition changes nothing: the same day and ref count once, for a
        year or until 200,000 newer ones have come.

        USAGE
          shelfcast-agent sale ITEM UNITS [--day YYYY-MM-DD] [--ref TEXT]
          shelfcast-agent sale --csv   < FILE    header day,item,units[,ref] in any order
          shelfcast-agent sale --jsonl < FILE    {"day":"2026-11-21","item":"17","units":3,"ref":"a1"}

        OPTIONS
          --day YYYY-MM-DD  the business day (default: today in the store's time zone)
          --ref TEXT        the till's name for this sale, at most 64 bytes

        In bulk a bad line is named with its reason and left out; all others are recorded, and the exit
        code is 1.

        EXAMPLE
          shelfcast-agent sale 17 3 --day 2026-11-21 --ref till-1/881

        """

    static let returned = """
        Takes units back: off the sales of the day they were sold on, as far as this device recorded any, and
        back on the shelf. With --ref a repetition changes nothing.

        USAGE
          shelfcast-agent return ITEM UNITS [--day YYYY-MM-DD] [--ref TEXT]

        OPTIONS
          --day YYYY-MM-DD  the business day they were sold on (default: today)
          --ref TEXT        the till's name for this return, at most 64 bytes

        EXAMPLE
          shelfcast-agent return 17 1 --ref till-1/882

        """

    static let stock = """
        Says how many units of an item are on the shelf; without UNITS, asks. Sales lower the stock from then
        on. When it will not last until goods ordered now would come, the agent says how many to order, and by
        which day: in stock, status and forecast, to whoever has subscribed, and in its log.

        USAGE
          shelfcast-agent stock ITEM [UNITS] [--day YYYY-MM-DD] [--lead-days N] [--service-level PERCENT]
                                [--order-multiple N]

        OPTIONS
          --day YYYY-MM-DD         the business day of the count (default: today)
          --lead-days N            0 to 10: goods ordered on a day are on the shelf so many days later
          --service-level PERCENT  50 to 99: how probably the stock is to last until they are
          --order-multiple N       orders are a multiple of so many units
                                   (defaults: as said of the item before, else what run says)

        EXAMPLE
          shelfcast-agent stock 17 60 --lead-days 3 --order-multiple 12

        """

    static let ordered = """
        Says how many units of an item have been ordered for a day, so that they are not said to be ordered
        again. From that day on they count as on the shelf, until the next count. Said again for the same day
        it replaces what was said before; 0 units: nothing is awaited then. The item must have been counted
        with stock, and its next count ends what was due by then.

        USAGE
          shelfcast-agent ordered ITEM UNITS [--due YYYY-MM-DD]

        OPTIONS
          --due YYYY-MM-DD  when the goods are on the shelf, before business, 60 days ahead at most
                            (default: the item's lead time after the first day not closed, or the count)

        EXAMPLE
          shelfcast-agent ordered 17 24

        """

    static let closeDay = """
        Closes a business day: puts its forecasts beside what was sold, and forecasts the next day. Closing
        it again changes nothing.

        USAGE
          shelfcast-agent close-day [YYYY-MM-DD] [--closed]

        OPTIONS
          --closed  the store did no business that day

        EXAMPLE
          shelfcast-agent close-day 2026-11-21

        """

    static let forecast = """
        Shows the forecasts for the days not yet closed: the units expected, and those that demand stays
        within on half the days (P50) and on nine of ten (P90).

        USAGE
          shelfcast-agent forecast [ITEM] [--days N] [--json]

        OPTIONS
          --days N  so many days, 1 to 14, from the first day not closed; each forecast after the first
                    counts on those before it, and its P90 lies further off

        EXAMPLE
          shelfcast-agent forecast 17 --days 7

        """

    static let status = """
        Shows which package runs and why, or why none does; the last contact, what waits to be sent, and the
        last error.

        USAGE
          shelfcast-agent status [--json]

        EXAMPLE
          shelfcast-agent status --json

        """

    static let subscribe = """
        Shows forecasts whenever they are made anew, and restock alerts when they come and go; first what
        stands now. Needs a running agent, and ends with it. A reader that falls behind is let go, with
        exit code 75.

        USAGE
          shelfcast-agent subscribe [--json]

        EXAMPLE
          shelfcast-agent subscribe --json

        """

    static let selfTest = """
        Runs a fixed set of networks and the active package's golden vectors, and shows the digest of the
        results. The digest is the same on every CPU and with every kernel set; anything else is an error.
        Takes well under a second and changes nothing. With a running agent, that one does it; where
        nothing has joined, there is no package to prove.

        USAGE
          shelfcast-agent selftest [--kernels NAME] [--package FILE] [--json]

        OPTIONS
          --kernels NAME  plain, avx2, avx-vnni, avx512-vnni, neon or neon-dot, as far as this CPU has
                          it; all: each it has, one after the other (default: the one that forecasts run
                          with)
          --package FILE  the golden vectors of this file, signed or not, instead of the active package's

        EXAMPLE
          shelfcast-agent selftest --kernels all

        """

    static let doctor = """
        Looks at this device and says, line by line, what is well, what is not, and what to do: the agent,
        the disk, the configuration, the database, the clock, the certificate, the hub (its name, the
        connection, TLS), the active package (digest, memory, golden vectors). Changes nothing, and may run
        beside a running agent. Exit code 1 when anything is wrong.

        USAGE
          shelfcast-agent doctor [--json]

        EXAMPLE
          shelfcast-agent doctor --state /var/lib/shelfcast

        """

    static let benchmark = """
        Times forecasts on this device: of two reference networks (LSTM-16 and LSTM-64, 14 days of one input)
        and of the active package, alone and in a batch of 50 series; and shows the memory they take, at its
        peak that of the whole process, and the energy where the system shows it: RAPL (mostly to root
        alone), or a battery in use; all of the machine counts in it. Each time is a median of rounds and
        takes up to some tens of milliseconds. With a running agent, that one does it.
        An agent does the same after each start and each new package, and tells the hub.

        USAGE
          shelfcast-agent benchmark [--package FILE] [--json]

        OPTIONS
          --package FILE  this file, signed or not, instead of the active package

        EXAMPLE
          shelfcast-agent benchmark --json

        """
}
