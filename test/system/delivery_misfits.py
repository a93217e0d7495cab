#!/usr/bin/env python3
# timeout: 240
"""A table that is written exactly once, and a checkpoint that does not fit it: an older checkpoint, another data
directory, a database brought back from an earlier copy, a dropped table. The job is refused with the reason, nothing is
written, and --accept-duplicates goes on where that is all that can happen."""
import glob
import os
import shutil
import signal
import subprocess

from _tap import check, finish, rows_of, wait_for

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
DATABASE = os.path.join(DIRECTORY, "result.db")
DATA = os.path.join(DIRECTORY, "data")
JOB = os.path.join(DATA, "checkpoints", "rows")
SQL = f"""CREATE TABLE source (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '50');
CREATE TABLE rows_ (id BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DATABASE}', 'table-name' = 'target');
SET 'pipeline.name' = 'rows';
INSERT INTO rows_ SELECT id FROM source;
"""


def start(*more, data=DATA):
    return subprocess.Popen([LEAT, "run", "--data", data, "--no-http", "--set", "execution.checkpointing.interval=300ms",
                             *more, "-e", SQL], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def count():
    return (rows_of(DATABASE, "SELECT COUNT(*) FROM target") or [(0,)])[0][0]


def committed():
    """The epoch that the table is at."""
    return (rows_of(DATABASE, "SELECT epoch FROM leat_ledger") or [(0,)])[0][0]


def manifests():
    return sorted(glob.glob(os.path.join(JOB, "manifest-*[0-9a-f]")))


def newest():
    names = manifests()
    return int(names[-1].rsplit("-", 1)[1], 16) if names else -1


def refused(what, *words, data=DATA, more=()):
    before = count()
    job = start(*more, data=data)
    said = job.communicate(timeout=60)[1]
    check(job.returncode != 0 and all(word in said for word in words), f"{what}: refused, and said why",
          job.returncode, said)
    check(count() == before, f"{what}: nothing was written", before, count())


def goes_on(what, *more, data=DATA):
    before = count()
    job = start(*more, data=data)
    check(wait_for(lambda: count() > before or job.poll() is not None) and job.poll() is None, f"{what}: goes on",
          job.poll())
    job.send_signal(signal.SIGTERM)
    said = job.communicate(timeout=60)[1]
    check(job.returncode == 0, f"{what}: and ends well", said)


def kill_when_committed():
    """A job killed when all of its newest checkpoint is committed, and there was one before."""
    while True:
        job = start()
        wait_for(lambda: len(manifests()) > 1 and committed() > 2)
        wait_for(lambda: committed() == newest())
        job.kill()
        job.communicate()
        if committed() == newest():
            return


def remove_database():
    for name in glob.glob(DATABASE + "*"):
        os.remove(name)


kill_when_committed()
kept = os.path.join(DIRECTORY, "kept")
shutil.copytree(DATA, kept)
goes_on("as it was left")

# an older checkpoint is all there is
shutil.rmtree(DATA)
shutil.copytree(kept, DATA)
refused("an older data directory", "would come twice", "--accept-duplicates")
goes_on("duplicates accepted", "--accept-duplicates")
goes_on("and again without saying so")

shutil.rmtree(DATA)
remove_database()
kill_when_committed()
with open(manifests()[-1], "r+b") as file:
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    file.write(bytes(size))
refused("a damaged checkpoint", "would come twice", "rows or more")
goes_on("duplicates accepted", "--accept-duplicates")

# another history of the job
other = os.path.join(DIRECTORY, "other")
refused("another data directory", "another history of this job", "--accept-duplicates", data=other)
goes_on("duplicates accepted", "--accept-duplicates", data=other)
refused("and now the first one", "another history of this job")

# rows that are lost
shutil.rmtree(other)
shutil.rmtree(DATA)
remove_database()
kill_when_committed()
earlier = os.path.join(DIRECTORY, "earlier.db")
subprocess.run(["python3", "-c", "import sqlite3, sys; a = sqlite3.connect(sys.argv[1]); b = sqlite3.connect(sys.argv[2]); "
                "a.backup(b); b.close()", DATABASE, earlier], check=True)
goes_on("more rows")
remove_database()
shutil.copy(earlier, DATABASE)
refused("a database of earlier", "rows are lost")
refused("a database of earlier", "rows are lost", more=("--accept-duplicates",))
remove_database()
refused("no database", "is not there any more")
shutil.rmtree(DATA)
goes_on("all anew")
finish()
