"""Faults of one machine, its files and its guests, each in a folder of its own."""

import json
import os
import shutil
import signal
import subprocess

from fault_place import AT, KILL, SEEDS, STEPS, WALK, Done, Faults, must, wait_for

fault = Faults()


@fault("the call is killed (`kill -9`) while a fit is at work")
def killed_call(place):
    place.fault(AT + "hold()")
    call = place.begin()
    place.held(call)
    call.kill()
    done = place.end(call)
    wait_for(lambda: not place.processes, 20)
    note = "Its worker ended with it; the next call goes on from the checkpoint."
    return place.seen(done, -signal.SIGKILL, note=note)


@fault("the call gets SIGTERM")
def terminated(place):
    return stopped(place, signal.SIGTERM, 143, "fits at work save checkpoints")


@fault("the call gets SIGHUP: its terminal is closed")
def hung_up(place):
    return stopped(place, signal.SIGHUP, 129, "fits at work save checkpoints")


@fault("Ctrl-C")
def interrupted(place):
    return stopped(place, signal.SIGINT, 130, "interrupted")


def stopped(place, sent, status, says):
    place.fault(AT + "hold(until=lambda: context.deadline)")
    call = place.begin(under=["env", f"--default-signal={sent.name.removeprefix('SIG')}"])
    place.held(call)
    call.send_signal(sent)
    return place.seen(place.end(call), status, says)


@fault("a worker is killed (`kill -9`), once")
def killed_worker(place):
    place.fault(f"{AT}once() and {KILL}")
    return place.seen(place.run(), 0, note="The fit is tried again at once, from its checkpoint.", alone=True)


@fault("a worker is killed (`kill -9`), each time")
def killed_workers(place):
    place.fault(AT + KILL)
    return place.seen(place.run(), 1, "SIGKILL")


@fault("a worker crashes (segmentation fault)")
def crashed(place):
    place.fault(AT + "ctypes.string_at(0)")
    return place.seen(place.run(), 1, "SIGSEGV", failed=1, again=["--retry-failed"])


@fault("a detector ends its process (`os._exit`)")
def left(place):
    place.fault(AT + "os._exit(3)")
    return place.seen(place.run(), 1, "exit status 3", failed=1, again=["--retry-failed"])


@fault("a worker hangs and holds the interpreter, `--max-time`")
def hung(place):
    place.fault(AT + "ctypes.PyDLL(None).sleep(600)")
    return place.seen(place.run("--max-time", "60s"), 1, "did not stop")


@fault("a worker hangs and holds the interpreter, `--fit-timeout`")
def hung_fit(place):
    place.fault(AT + "ctypes.PyDLL(None).sleep(600)")
    return place.seen(place.run("--fit-timeout", "5s"), 1, "did not stop", failed=1, again=["--retry-failed"])


@fault("no memory is left (a limit on the address space)")
def out_of_memory(place):
    place.fault(AT + "allocate(2**30)")
    return place.seen(place.run(), 1, "out of memory")


@fault("reading gives an I/O error (EIO)")
def unreadable(place):
    place.fault(AT + "raise OSError(5, 'Input/output error')")
    return place.seen(place.run(), 1, "Input/output error")


@fault("the disk of the results folder is full")
def full_disk(place):
    place.fault(f"{AT}fill(Path({str(place.results)!r}))")
    saved = place.root / "saved"
    script = 'mkdir -p $0 && mount -t tmpfs -o size=1m none $0 || exit 99; "$@"; status=$?; rm -f $0/filler; '
    done = place.run(under=mounting(place, f"{script} cp -a $0 {saved}; exit $status"))
    place.results.rmdir()
    saved.rename(place.results)
    return place.seen(done, 1, "No space left on device")


@fault("files may not grow (RLIMIT_FSIZE)")
def small_files(place):
    place.fault(AT + "context.artefact('grid', bytes(200_000))")
    return place.seen(place.run(under=["prlimit", "--fsize=100000"]), 1, "File too large")


@fault("the results folder may not be written (modes)")
def read_only(place):
    must(place.run(seeds="0").status == 0, "the first run failed")
    subprocess.run(["chmod", "-R", "a-w", place.results], check=True)
    under = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = place.run(under=under)
    listed = json.loads(place.bench("results", "list", "--json", under=under).text)
    must(len(listed) == 1, listed)
    subprocess.run(["chmod", "-R", "u+w", place.results], check=True)
    return place.seen(done, 2, "ermission", note="Verbs that read go on.")


@fault("the results folder becomes read-only while a fit is at work")
def turned_read_only(place):
    runs = place.results
    place.fault(f"{AT}subprocess.run('mount --bind {runs} {runs} && mount -o remount,ro,bind {runs}', shell=True)")
    return place.seen(place.run(under=mounting(place, 'exec "$@"')), 1, "Read-only file system")


def mounting(place, script):
    """What runs a command in a space of mounts of its own, behind a script; $0 is the results folder."""
    return ["unshare", "-m", "sh", "-c", script, place.results]


@fault("the results folder is moved away while a fit is at work")
def moved(place):
    place.fault(AT + "hold()")
    call = place.begin()
    place.held(call)
    place.results.rename(place.root / "moved")
    place.go()
    done = place.end(call)
    must(place.kept() == 2, "a run that was at work is lost")
    merged = place.bench("results", "merge", place.root / "moved")
    must(merged.status == 0, merged)
    note = "The folder was made again; `bench results merge` brings what was made before."
    return place.seen(done, 0, note=note, alone=True)


@fault("decoded images in the cache: one bit of a pixel")
def damaged_pixels(place):
    return damaged_store(place, -1)


@fault("decoded images in the cache: one bit of the header")
def damaged_header(place):
    return damaged_store(place, 3)


def damaged_store(place, where):
    must(place.run(seeds="0").status == 0, "the first run failed")
    (array,) = place.root.glob("cache/**/images.npy")
    flip(array, where)
    return place.seen(place.run(), 0, "made again", alone=True)


@fault("an image of the dataset is replaced")
def replaced_image(place):
    must(place.run(seeds="0").status == 0, "the first run failed")
    image, other = (place.root / "raw" / name / "000.png" for name in ("test/dot", "train/good"))
    sound = image.read_bytes()
    shutil.copy(other, image)
    done = place.run()
    image.write_bytes(sound)
    return place.seen(done, 1, "is not the image that the manifest describes")


@fault("the manifest of the dataset is cut at a line end")
def cut_manifest(place):
    must(place.run(seeds="0").status == 0, "the first run failed")
    manifest = place.root / "data" / "tiny" / "manifest.csv"
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:-3]))
    done = place.run()
    shutil.rmtree(manifest.parent)
    must(place.adopt().status == 0, "it cannot be adopted again")
    return place.seen(done, 2, "manifest", note="Adopted again, it is the same dataset.")


@fault("a record is cut short")
def cut_record(place):
    path = finished(place)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return place.seen(place.run(), 0, "set aside", alone=True)


@fault("a record: one parameter of its spec is edited")
def edited_spec(place):
    path = finished(place)
    edit(path, lambda record: record["spec"]["fit"]["params"].update(img_size=32))
    return place.seen(place.run(), 0, "set aside", alone=True)


@fault("a record: its AUROC is edited")
def edited_metric(place):
    edit(finished(place), lambda record: record["metrics"].update(auroc=0.987))
    return verified(place, "0.987")


@fault("the scores of a run: one bit")
def damaged_scores(place):
    path = finished(place)
    flip(place.results / "scores" / path.parent.name / f"{path.stem}.npz", 300)
    return verified(place, path.stem[:8])


def verified(place, says):
    note = "The call is `bench results verify`."
    done = place.bench("results", "verify")
    return place.seen(done, 1, says, note=note, again=["--force"], look=False, steps=STEPS * SEEDS)


def finished(place):
    """The record of one run, when all are made."""
    must(place.run().status == 0, "the first runs failed")
    return min(place.records())


@fault("the checkpoint of an unfinished fit: one bit")
def damaged_checkpoint(place):
    place.fault(AT + "hold()")
    call = place.begin()
    place.held(call)
    call.kill()
    place.end(call)
    place.fault()
    (checkpoint,) = place.results.glob("checkpoints/*.pt")
    flip(checkpoint, -200)
    return place.seen(place.run(), 0, "the fit starts anew", alone=True, steps=STEPS)


@fault("the clock jumps ten years on, then twenty back, with `--max-time` and `--fit-timeout`")
def jumping_clock(place):
    jumps = {0: 3.2e8, 1: -3.2e8}
    place.fault(f"if step == 3 and seed in {jumps}: (ROOT / 'clock').write_text(str({jumps}[seed]))")
    done = place.run("--max-time", "10m", "--fit-timeout", "5m")
    (place.root / "clock").unlink()
    note = "Times are kept on a clock that does not jump (here `time.time` is made to jump)."
    return place.seen(done, 0, note=note, alone=True)


@fault("two calls in one results folder")
def two_runners(place):
    return runners(place, 2)


@fault("four calls in one results folder")
def four_runners(place):
    return runners(place, 4)


def runners(place, count):
    place.fault("time.sleep(0.1)")
    ended = [place.end(call) for call in [place.begin() for _ in range(count)]]
    must(all(done.status == 0 for done in ended), ended)
    must(place.steps == STEPS * SEEDS, "a fit was made twice")
    done = next(done for done in ended if "waiting: " in done.text)
    return place.seen(done, 0, "waiting: ", note="Each fit is made once.", alone=True)


@fault("two hosts in one results folder, one is lost")
def two_hosts(place):
    first, second = two_calls(place)
    line = next(line for line in second.stdout if "held by" in line)
    must("on host-a" in line, line)
    first.kill()
    place.end(first)
    place.fault()
    done = place.end(second)
    heard = Done(done.status, line + done.text)
    return place.seen(heard, 0, "held by", note="The other goes on from its checkpoint.", alone=True)


@fault("two hosts in one results folder on a file system without locks, one is lost")
def two_hosts_without_locks(place):
    (place.root / "lockless").touch()
    first, second = two_calls(place, "--max-time", "30s")
    line = next(line for line in second.stdout if "held by" in line)
    first.kill()
    place.end(first)
    place.fault()
    done = place.end(second)
    (claim,) = place.results.glob("locks/*.claim")
    must(claim.name in line, line)
    must("paused: " in done.text, done)
    claim.unlink()
    return place.seen(Done(done.status, line + done.text), 0, "held by", note="It waits until `--max-time` is over.")


def two_calls(place, *more):
    """One call whose fit holds still, and another of the same runs; each believes to be on a host of its own."""
    place.fault(AT + "hold()")
    hosts = [["unshare", "-u", "sh", "-c", f'hostname {name} && exec "$@"', "sh"] for name in ("host-a", "host-b")]
    first = place.begin(under=hosts[0])
    place.held(first)
    return first, place.begin(*more, under=hosts[1])


@fault("a plug-in is edited while a fit is at work")
def edited_in_a_fit(place):
    place.fault(AT + "hold()")
    call = place.begin()
    place.held(call)
    place.edit_code()
    place.go()
    made = place.end(call)
    must(made.status == 0, made)
    notes = [record["notes"] for record in place.records().values()]
    must(sum("was edited while" in str(each) for each in notes) == 2, notes)
    done = place.run()
    place.plug_in.write_text(WALK)
    note = "The records are of the code that ran, and note the edit; with the old code back they are cached again."
    return place.seen(done, 1, "stale", note=note)


def flip(path, where):
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


def edit(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record, indent=2) + "\n")
