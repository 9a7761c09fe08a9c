"""`specbp board`: deploy to a board, look at one, or simulate one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specbp.boards.board import SIMULATED, USUAL, board_named
from specbp.cli.number_options import real, whole
from specbp.cli.terminal import console, note, say, say_json
from specbp.deploy.address import LOGIN_VARIABLE, REMOTE_PORT
from specbp.errors import SpecbpError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.progress import Progress

    from specbp.deploy.connection import Connection
    from specbp.deploy.contents import Version
    from specbp.deploy.deploying import Deployed
    from specbp.overlay.parameters import Parameters

SSH_PORT = 2222
"""Of a simulated board: an ordinary user cannot have 22."""
board = typer.Typer(
    help="Boards: deploy a build of the overlay, look at a board, simulate one.",
    no_args_is_help=True,
)
Host = Annotated[str, typer.Argument(metavar="[USER@]HOST[:PORT]", help="the board; user xilinx")]
KnownHosts = Annotated[
    Path | None,
    typer.Option(
        help="file of host keys", envvar="SPECBP_KNOWN_HOSTS", show_default="~/.ssh/known_hosts"
    ),
]
Key = Annotated[
    list[Path] | None,
    typer.Option("--key", help="private key; may be repeated", show_default="~/.ssh, the agent"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@board.command()
def deploy(
    host: Host,
    build: Annotated[
        Path | None,
        typer.Option(help="folder of the build", show_default="the newest in build/overlay"),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="go back to the version before")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="do not ask about a build that someone else made")
    ] = False,
    wait: Annotated[float, real("for a run in progress to end, s", least=0)] = 0.0,
    known_hosts: KnownHosts = None,
    key: Key = None,
    json_output: Json = False,
) -> None:
    """Bring a build to a board, test it there, and only then switch to it.

    A build that was not made on this machine is someone else's: in a terminal, you are asked.
    Passwords come from SPECBP_BOARD_PASSWORD and SPECBP_SUDO_PASSWORD, or are asked for; they are
    written nowhere. After a broken connection the same command goes on where it was. Example:

    specbp board deploy xilinx@192.168.2.99 --build build/overlay/pynq-z2-1x32
    """
    if rollback and build is not None:
        raise UsageError("--build has no effect on --rollback, which takes the version before")

    from specbp.boards.installed import require_boards

    require_boards()
    from specbp.deploy.address import parse_address
    from specbp.deploy.contents import version_of
    from specbp.deploy.deploying import DeploymentListener, roll_back
    from specbp.deploy.deploying import deploy as deploy_version
    from specbp.deploy.executor import deployed_parameters

    bar = _progress()
    version = None if rollback else version_of(build or _newest_build())
    address = parse_address(host)
    if version is not None:
        _announce(version, str(address), yes)

    async def work(connection: Connection) -> Deployed:
        if version is None:
            return await roll_back(connection, DeploymentListener(note), wait)
        task = bar.add_task(version.name, total=version.size)
        listener = DeploymentListener(
            lambda step: note(f"{version.name}: {step}"),
            lambda sent: bar.advance(task, sent),
        )
        return await deploy_version(connection, version, listener, wait)

    with bar:
        done = _on_board(host, known_hosts, key, work)
    if json_output:
        say_json(vars(done))
        return
    say(f"{host}: {_described(done, deployed_parameters(address, done.loaded))}")


@board.command()
def doctor(
    host: Host, known_hosts: KnownHosts = None, key: Key = None, json_output: Json = False
) -> None:
    """Say what a board has, what it lacks, and how to get that.

    Nothing is programmed. Example:

    specbp board doctor xilinx@192.168.2.99
    """
    from specbp.boards.installed import require_boards

    require_boards()
    from specbp.cli.doctor import show
    from specbp.doctor.board import examine

    show(_on_board(host, known_hosts, key, examine), json_output)


@board.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[
        int | None,
        whole(
            "0 for any free one", most=65535, show_default=f"{REMOTE_PORT}, with --ssh {SSH_PORT}"
        ),
    ] = None,
    board: Annotated[str, typer.Option(help="the board to simulate")] = USUAL,
    lanes: Annotated[int, whole("of the overlay until one is programmed", least=1)] = 16,
    ssh: Annotated[bool, typer.Option("--ssh", help="SSH in place of PYNQ.remote")] = False,
    home: Annotated[
        Path | None,
        typer.Option(
            help="with --ssh: folder of the account, which stays", show_default="a new one"
        ),
    ] = None,
    allow_anyone: Annotated[
        bool,
        typer.Option("--allow-anyone", help="listen where other machines can reach it"),
    ] = False,
) -> None:
    """Simulate a board that speaks PYNQ.remote, or with --ssh one to deploy to.

    pynq.pl_server.RemoteDevice drives the first, one client at a time; specbp board deploy, doctor
    and pynq:// the second. Ctrl-C ends it. Examples, in two terminals; a build of two cores runs
    what one core runs, too:

    specbp board serve

    specbp overlay build --board simulated --lanes 16 --cores 2

    specbp run --backend remote://127.0.0.1:7967 --train 64 --epochs 1

    specbp board serve --ssh
    """
    from specbp.boards.installed import require_boards, require_simulation

    require_simulation("specbp board serve")
    name = SIMULATED if board == USUAL else f"{SIMULATED}-{board_named(board).name}"
    if ssh:
        require_boards()
        _serve_ssh(name, host, SSH_PORT if port is None else port, lanes, home)
        return
    if home is not None:
        raise UsageError("--home has no effect without --ssh")

    from specbp.overlay.parameters import Parameters
    from specbp.remote.server import Server, is_loopback
    from specbp.remote.server import serve as serve_until_stopped

    port = REMOTE_PORT if port is None else port
    server = Server(host, port, Parameters(lanes=lanes), anywhere=allow_anyone, board=name)
    if not is_loopback(host):
        note(
            f"warning: {host} can be reached from other machines, and PYNQ.remote has no "
            "authentication: anyone there can program and use this board",
            style="yellow",
        )
    serve_until_stopped(
        server,
        lambda bound: say(
            f"a simulated PYNQ.remote board, {board_named(name).title}, on {host}:{bound}"
        ),
    )


def _serve_ssh(name: str, host: str, port: int, lanes: int, home: Path | None) -> None:
    """Serve a simulated board over SSH, and say how to reach it.

    Raises:
        UsageError: it is to listen where others can reach it, or the port is in use.
    """
    import tempfile
    from contextlib import ExitStack

    from specbp.overlay.hwh import MOST_CORES
    from specbp.overlay.parameters import Parameters
    from specbp.simulation import ssh_server
    from specbp.simulation.account import Account
    from specbp.simulation.build import build

    if host != ssh_server.HOST:
        raise UsageError(
            f"--ssh listens on {ssh_server.HOST} alone: whoever logs in runs commands as you"
        )
    for cores in range(1, MOST_CORES + 1):
        # It takes longer than programming a board may.
        note(f"simulation of {Parameters(lanes=lanes, cores=cores).size}: compiled if it is new")
        build(Parameters(lanes=lanes, cores=cores))
    with ExitStack() as stack:
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="specbp-board-")))
        # Its commands run in another folder.
        home = home.resolve()
        server = ssh_server.SshServer(home, Account(home, name, ""), port)
        server.account.set_sudo_password(server.password)

        def started() -> None:
            say(f"a simulated {board_named(name).title} on {server.address}, SSH; to reach it:")
            say(f"export SPECBP_KNOWN_HOSTS={server.known_hosts}")
            say(f"export {LOGIN_VARIABLE}={server.password}")
            say(f"specbp board doctor {server.address}")

        ssh_server.serve(server, started)


def _on_board(
    host: str,
    known_hosts: Path | None,
    keys: list[Path] | None,
    work: Callable[[Connection], Awaitable[Any]],
) -> Any:
    """Do `work` with a connection to the board at `host`."""
    import asyncio
    from dataclasses import replace

    from specbp.deploy.address import access_from_environment, parse_address
    from specbp.deploy.connection import connect

    access = access_from_environment()
    if known_hosts is not None:
        access = replace(access, known_hosts=known_hosts)
    if keys:
        access = replace(access, keys=tuple(keys))

    async def working() -> Any:
        async with connect(parse_address(host), access) as connection:
            return await work(connection)

    return asyncio.run(working())


def _progress() -> Progress:
    """Return a bar of bytes that are sent; only a terminal shows it."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    errors = console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip


def _described(done: Deployed, parameters: Parameters) -> str:
    """Return what a deployment did, in words."""
    loaded, test = done.loaded, done.selftest
    return (
        f"version {done.version} {'is current now' if done.switched else 'was current'}: "
        f"{parameters.size}, build {loaded['build_identifier']}, {loaded['clock_mhz']:g} MHz; "
        f"self-test of {test['steps']} steps passed, {test['tensors']} tensors, "
        f"{test['cycles'][-1]:,} cycles a step"
    )


def _announce(version: Version, host: str, agreed: bool) -> None:
    """Say whose build this is and what comes now; ask about a build that someone else made.

    Raises:
        Abort: the answer is no.
    """
    from specbp.bitstream.origin import made_here
    from specbp.onboard.build import MANIFEST

    build, here = version.build, made_here(version.build)
    manifest = build.manifest
    maker = "made on this machine" if here else "made by someone else"
    note(
        f"{build.folder}: {maker}, with {manifest.get('tool', 'unknown tools')} for "
        f"{manifest['board']}: {build.parameters.size}, {build.clock_mhz:g} MHz"
    )
    note(
        f"{version.name}: {len(version.files)} files of {version.size / 1e6:.1f} MB go to "
        f"{host}; this package's own runner programs the FPGA as root, tests the build, and "
        "makes it the current one if it passes"
    )
    if here:
        return
    note(
        "A bitstream can read and write all memory of its board: deploy it only if you trust "
        f"its maker, and to a board where nothing is secret. SHA-256 of its manifest: "
        f"{version.hashes[MANIFEST]}",
        style="yellow",
    )
    if sys.stdin.isatty() and not agreed:
        typer.confirm(f"Deploy it to {host}?", abort=True, err=True)


def _newest_build() -> Path:
    from specbp.onboard.build import MANIFEST

    found = sorted(
        Path("build/overlay").glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime
    )
    if not found:
        raise SpecbpError(
            "there is no build in build/overlay: specbp overlay build, or name one with --build"
        )
    return found[-1].parent
