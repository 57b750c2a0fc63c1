"""How full a spool folder is: a sensor."""

import os

from healer.plugin import PATH, Count, Field, Kind, Sensor, SensorError, Shelf, Unit, blocking, sensor

SPOOL = Shelf(labels=("target",), max_age=60.0)
KIND = Kind(
    name="spool",
    organ="stomach",
    up="spool.ok",
    metrics=(
        SPOOL.put("spool.ok", Unit.FLAG, "1 when there is room for more"),
        SPOOL.put("spool.files", Unit.COUNT, "files waiting in it"),
        SPOOL.put("spool.oldest", Unit.SECONDS, "age of the one that waits longest; unknown when none does"),
    ),
)
KEYS = (
    Field(name="path", shape=PATH, required=True, doc="the folder"),
    Field(name="most", shape=Count(1), default=1000, doc="files it may hold"),
)


@sensor(KIND, keys=KEYS, every=30.0)
class Spool(Sensor):
    """Reads the folder's names and times; never the files."""

    async def look(self, now):
        """One look."""
        sieve = self.sieve(now)
        try:
            # What may hang (a dead network mount) runs beside the loop.
            times = await blocking.call(lambda: read(self.spec["path"]))
        except OSError as exc:
            # Not "full" and not "empty": nobody could look.
            raise SensorError(f"cannot read {self.spec['path']}: {exc.strerror}") from exc
        sieve.number("spool.ok", len(times) < self.spec["most"])
        sieve.number("spool.files", len(times))
        if times:
            sieve.number("spool.oldest", max(0.0, self.clock.wall() - min(times)))
        else:
            sieve.unknown("spool.oldest", "nothing waits")
        return sieve.readings


def read(path):
    """When each file in a folder was last written, in seconds since 1970; raises OSError."""
    with os.scandir(path) as entries:
        return [entry.stat(follow_symlinks=False).st_mtime for entry in entries if entry.is_file(follow_symlinks=False)]
