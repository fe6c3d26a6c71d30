"""Every kind of lookup, answered from the local GeneNetwork with its quirks."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator

import pytest

from bot.errors import UnavailableError
from bot.evidence import Answer, Progress
from bot.live.answering import LiveAnswers
from bot.live.answers.mapping import score_of
from bot.live.recognising import recognise
from bot.live.values import MappedMarker
from bot.pictures.picture import MAX_BYTES
from tests.gn_server import Fault, GeneNetworkServer, World
from tests.live import live_answers

ASKED = [
    "species",
    "groups of mouse",
    "datasets of BXD",
    "datasets of BXD tissue:hippocampus type:mrna",
    "dataset HC_M2_0606_P",
    "GN112",
    "BXD_10001",
    "what is 1436869_at in HC_M2_0606_P?",
    "values of BXD_10001",
    "histogram of 1436869_at in HC_M2_0606_P",
    "plot BXD_10001 against BXD_10002",
    "correlate BXD_10001 with HC_M2_0606_P top 3",
    "map BXD_10001",
    "map BXD_10001 with R/qtl",
    "map HRP_10078",
    "search genes shh",
    "search phenotypes cerebellum",
    "gene Shh",
    "1436869_at",
    "tissues of BXD",
    "populations of mouse",
    'sets of the family "outbred (individuals)"',
    "publications of BXD_10001",
]
PICTURES = [
    ("values of BXD_10001", "BXD_10001_values.png", "Bar chart of BXD_10001"),
    ("histogram of BXD_10001", "BXD_10001_histogram.png", "Histogram of BXD_10001"),
    ("plot BXD_10001 against BXD_10002", "BXD_10001_BXD_10002.png", "Scatter plot of BXD_10002"),
    ("map BXD_10001", "BXD_10001_map.png", "Genome scan of BXD_10001"),
]


@pytest.fixture(scope="module")
def world() -> World:
    """One world for all tests that do not change it."""
    return World()


@pytest.fixture
async def server(world: World) -> AsyncIterator[GeneNetworkServer]:
    """The local GeneNetwork."""
    async with GeneNetworkServer(world) as running:
        yield running


@pytest.fixture
async def live(server: GeneNetworkServer) -> AsyncIterator[LiveAnswers]:
    """What answers from it."""
    async with live_answers(server) as opened:
        yield opened


async def ask(live: LiveAnswers, question: str) -> Answer:
    """Return the answer to what is typed."""
    lookup = recognise(question)
    assert lookup is not None
    return await live.answer(lookup, question)


@pytest.mark.parametrize("question", ASKED)
async def test_every_figure_has_a_page_a_time_and_a_query(
    live: LiveAnswers, server: GeneNetworkServer, question: str
) -> None:
    """Every line with a figure has a number; each number a page, the time it was fetched and the request."""
    answer = await ask(live, question)
    text = answer.text.split("Query, to be run again:")[0]
    known = {citation.n for citation in answer.citations}

    assert ("live", True) == (answer.mode, answer.answered)
    assert list(range(1, len(known) + 1)) == [citation.n for citation in answer.citations]
    for line in text.splitlines():
        if re.search(r"\d", line) and not line.startswith(("| Locus", "| Trait", "Say ")):
            assert re.search(r"\[\d+\]", line), line
    assert {int(n) for n in re.findall(r"\[(\d+)\]", text)} <= known
    for citation in answer.citations:
        assert (citation.url or "").startswith(f"{server.url}/")
        assert re.match(r"Fetched \d{4}-\d\d-\d\d \d\d:\d\d UTC from http", citation.quote)
    assert bool(answer.requests) != ("to be run again" in answer.text)
    assert all(request.startswith(f"{server.url}/") for request in answer.requests)
    assert ("query.rq" in {file.name for file in answer.attachments}) == (not answer.requests)
    assert answer.note.startswith("Live data from GeneNetwork, fetched ")


@pytest.mark.parametrize(("question", "name", "alt"), PICTURES)
async def test_pictures_are_attached(live: LiveAnswers, question: str, name: str, alt: str) -> None:
    """Values, distribution, comparison and scan come with a PNG that has words for it."""
    (picture,) = (await ask(live, question)).attachments

    assert (name, "image/png") == (picture.name, picture.media_type)
    assert picture.data.startswith(b"\x89PNG")
    assert len(picture.data) < MAX_BYTES
    assert picture.alt.startswith(alt)


@pytest.mark.parametrize(
    ("question", "columns", "rows"),
    [
        ("values of BXD_10001 as csv", ["strain", "value", "se", "n"], 49),
        (
            "plot BXD_10001 against BXD_10002 as csv",
            ["strain", "BXD_10001", "BXD_10001 se", "BXD_10002", "BXD_10002 se"],
            49,
        ),
        ("correlate BXD_10001 with HC_M2_0606_P as csv", ["trait", "description", "rho", "p", "n"], 5),
        (
            "map BXD_10001 with rqtl as csv",
            ["marker", "chromosome", "position_mb", "lod", "p", "additive"],
            None,
        ),
    ],
)
async def test_the_data_come_as_csv_on_request(
    live: LiveAnswers, question: str, columns: list[str], rows: int | None
) -> None:
    """The file has a heading and a row for each value, and only then it is there."""
    answer = await ask(live, question)
    without = await ask(live, question.removesuffix(" as csv"))
    file = answer.attachments[-1]
    read = list(csv.reader(io.StringIO(file.data.decode())))

    assert "text/csv" == file.media_type
    assert columns == read[0]
    assert rows is None or rows == len(read) - 1
    assert all("text/csv" != one.media_type for one in without.attachments)


async def test_a_trait_card_has_units(live: LiveAnswers) -> None:
    """A transcript has its place with assembly, mean with SE and n, peak as LOD with LRS, and the scale."""
    text = (await ask(live, "what is 1436869_at in HC_M2_0606_P?")).text

    assert "- Gene: Shh [1]" in text
    assert "- Position: Chr 5: 28.457 Mb (mm10) [1]" in text
    assert re.search(r"Highest peak stored: LOD [\d.]+ \(LRS [\d.]+\) at rsm\d+, Chr 5: [\d.]+ Mb \(mm10\) \[1\]", text)
    assert re.search(r"Mean over strains: 9\.\d+ ± 0\.\d+ \(SE, n = 98\) \[2\]", text)
    assert "- Unit: transcript abundance, log2 [2]" in text


async def test_gemma_scores_are_what_they_are(live: LiveAnswers) -> None:
    """GeneNetwork sends -log10 p of GEMMA as LOD: it is named so and not converted; R/qtl's LOD is."""
    gemma, rqtl = (await ask(live, "map BXD_10001")).text, (await ask(live, "map BXD_10001 with rqtl")).text

    assert "Mapped by GEMMA with LOCO" in gemma
    assert "−log10 p" in gemma
    assert "LRS" not in gemma
    assert re.search(r"R/qtl .* with LOD [\d.]+ \(LRS [\d.]+\)", rqtl)
    assert "−log10 p" == score_of([MappedMarker("m", "1", 3.0, 0.06055383480931299, 0.8698536)])
    assert "LOD" == score_of([MappedMarker("m", "1", 3.0, 4.0, 0.5)])


async def test_mapping_names_one_locus_of_a_chromosome_and_no_threshold(live: LiveAnswers) -> None:
    """The table lists the best marker of five chromosomes; a threshold that nobody computed is not claimed."""
    answer = await ask(live, "map BXD_10001")
    chromosomes = re.findall(r"^\| \S+ \| Chr (\w+):", answer.text, re.MULTILINE)

    assert 5 == len(chromosomes) == len(set(chromosomes))
    assert "8" == chromosomes[0]
    assert 1 == answer.text.count("No significance threshold is drawn: GeneNetwork's API returns none")
    assert 1 == answer.attachments[0].alt.count("no significance threshold: GeneNetwork's API returns none")
    assert "line at" not in answer.attachments[0].alt


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("map BXD_99999", "no trait '99999' in BXDPublish"),
        ("dataset NO_SUCH_0101_X", "no public dataset 'NO_SUCH_0101_X'"),
        ("dataset SECRET_BXD_Ret_0819", "no public dataset 'SECRET_BXD_Ret_0819'"),
        ("values of 1436869_at in SECRET_BXD_Ret_0819", "no public dataset"),
        ("map 1436869_at in PRIVATE_BXD_Liv_0919", "no public dataset"),
        ("correlate BXD_10001 with HC_M2_0606_M", "no public dataset 'HC_M2_0606_M'"),
        ("datasets of BXE", "no group 'BXE'"),
        ("1234567_at", "no public probe set '1234567_at'"),
        ("rs9999999999", "no marker 'rs9999999999'"),
    ],
)
async def test_what_is_not_there_is_a_sentence(live: LiveAnswers, question: str, sentence: str) -> None:
    """What does not exist and what is not public are the same refusal, without a figure or a picture."""
    answer = await ask(live, question)

    assert not answer.answered
    assert sentence in answer.text
    assert () == answer.attachments


async def test_a_search_without_hits_is_an_answer(live: LiveAnswers) -> None:
    """It says what was searched and where, and how to search: nothing is missing in the documents."""
    answer = await ask(live, "search genes zzzzzz")

    assert answer.answered
    assert answer.text.startswith("GeneNetwork finds no public genes for “zzzzzz” [1].")
    assert (answer.citations[0].url or "").endswith("/gsearch?type=gene&terms=zzzzzz")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("datasets of bxd tissue:hippocampus", "BXD has 3 public datasets with tissue hippocampus"),
        ("datasets of HXB/BXH", "HXBBXH has 3 public datasets"),
        ("datasets of BXD tissue:kidney", "BXD has no public dataset with tissue kidney"),
        ("search genes shh dataset:HC_M2_0606_P", "The one public trait of a gene that matches"),
        ("search phenotypes cerebellum", "The public phenotypes that match"),
        ("gene shh", "Gene **Shh**: sonic hedgehog"),
        ("rs31443144", "is a genetic marker of mouse at Chr 1: 3.010 Mb (mm10)"),
        ("HRP_10078", "Chr 18: 31.000 Mb (rn6)"),
        ("GN112", "**HC_M2_0606_P** is the dataset"),
        ("metadata of HC_M2_0606_P", "- Accession: GN112 [1]"),
        ("publications of BXD_10001", "| PubMed 11438585 | Genetic control"),
        ("BXD_10001", "Additive effect of that marker: 2.229 mg"),
        ("HRP_10078", "Additive effect of that marker: -0.4795 [1]"),
        ("map BXD_10001", "| Additive effect (mg) |"),
        ("map BXD_10001 with rqtl and 1,000 permutations", "GeneNetwork's API returns none"),
        ("map 1436869_at", "Name the dataset too: `map 1436869_at in HC_M2_0606_P`."),
        ("what is the mean of BXD_10001?", "Mean over strains: 61.05 ± 0.43 (SE, n = 49)"),
    ],
)
async def test_answers_read_as_a_scientist_expects(live: LiveAnswers, question: str, sentence: str) -> None:
    """Names as GeneNetwork writes them, units and assemblies, plain grammar, and what to type instead."""
    assert sentence in (await ask(live, question)).text


async def test_a_column_that_nothing_fills_is_left_out(live: LiveAnswers) -> None:
    """R/qtl gives no p and no effect of markers."""
    answer = await ask(live, "map BXD_10001 with rqtl")

    assert "| Locus | Position | LOD |" in answer.text
    assert "not given" not in answer.text


async def test_texts_of_papers_hold_no_markup(live: LiveAnswers) -> None:
    """GeneRIF comments come as fragments of HTML."""
    assert "acts on migrating cells by a gradient" in (await ask(live, "gene Shh")).text


async def test_all_requests_of_an_answer_can_be_run_again(live: LiveAnswers, server: GeneNetworkServer) -> None:
    """Also those that completed it."""
    answer = await ask(live, "gene Shh")

    assert ["api3/metadata/rif/Shh", "api3/search/?query=symbol%3AShh&type=gene&page=1&per_page=5"] == [
        one.removeprefix(f"{server.url}/") for one in answer.requests[:2]
    ]
    assert f"{server.url}/gn3/gene/aliases/Shh" == answer.requests[2]


async def test_nothing_that_is_not_public_is_listed(live: LiveAnswers) -> None:
    """Hidden, confidential and restricted datasets are in no list and no search."""
    texts = [(await ask(live, question)).text for question in ("datasets of BXD", "1436869_at", "search genes shh")]

    for hidden in ("HC_M2_0606_M ", "SECRET", "PRIVATE"):
        assert not any(hidden in text for text in texts)


async def test_what_a_dataset_says_makes_no_markup(live: LiveAnswers, server: GeneNetworkServer) -> None:
    """Descriptions are text: no table ends early, no citation is made up, no code is left open."""
    hostile = "a | b ` [99] <!channel> [x](https://evil.com) [mg]"
    body = {"description": hostile, "id": 10001, "name": "x|y", "dataset_type": "phenotype"}
    server.fail("/api/v_pre1/dataset/BXD/10001", Fault.json(body))
    text = (await ask(live, "map BXD_10001")).text
    server.heal()

    assert "[99]" not in text
    assert "(99)" in text
    assert "a ¦ b '" in text


async def test_csv_holds_no_formulas(live: LiveAnswers, server: GeneNetworkServer) -> None:
    """A strain whose name begins like a formula is a text in the file."""
    rows = [{"sample_name": name, "value": 1.0 + place} for place, name in enumerate(("=1+1", "@x", "BXD1"))]
    server.fail("/api/v_pre1/sample_data/BXDPublish/10001", Fault.json(rows))
    answer = await ask(live, "values of BXD_10001 as csv")
    server.heal()

    assert ["'=1+1", "'@x", "BXD1"] == [
        row[0] for row in csv.reader(io.StringIO(answer.attachments[-1].data.decode()))
    ][1:]


async def test_a_long_mapping_says_how_long_it_takes(server: GeneNetworkServer) -> None:
    """While GeneNetwork computes there is a sentence now and then, and then the answer."""
    held = asyncio.Event()
    server.fail("/api/v_pre1/mapping", Fault.slow(held))
    async with live_answers(server, every_s=0.01) as live:
        lookup = recognise("map BXD_10001")
        assert lookup is not None
        said: list[str] = []
        answer: Answer | None = None
        async for piece in live.stream(lookup, "map BXD_10001"):
            if isinstance(piece, Progress):
                said.append(piece.sentence)
                if len(said) > 3 and server.paths[-1].endswith("/mapping"):
                    held.set()
            else:
                answer = piece
    server.heal()

    assert "Looking this up in GeneNetwork ..." == said[0]
    assert re.fullmatch(r"GeneNetwork maps BXD_10001 with GEMMA with LOCO: \d+ s so far\. Write stop .*", said[1])
    assert answer is not None
    assert answer.answered


async def test_closing_a_mapping_hangs_up(server: GeneNetworkServer) -> None:
    """Whoever is stopped while GeneNetwork computes ends the request."""
    held = asyncio.Event()
    server.fail("/api/v_pre1/mapping", Fault.slow(held))
    async with live_answers(server) as live:
        lookup = recognise("map BXD_10001")
        assert lookup is not None
        pieces = live.stream(lookup, "map BXD_10001")
        await anext(pieces)
        waiting = asyncio.ensure_future(anext(pieces))
        await server.asked("/api/v_pre1/mapping")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await server.left()
        await pieces.aclose()
    server.heal()

    assert 1 == server.abandoned


async def test_genenetwork_away_raises(server: GeneNetworkServer, live: LiveAnswers) -> None:
    """That it is down is no answer: the caller may have another one."""
    server.fail("/api/v_pre1/groups", Fault.page(503))
    with pytest.raises(UnavailableError):
        await ask(live, "BXD_10001")
    server.heal()


async def test_without_matplotlib_the_answer_stands_without_its_picture(
    live: LiveAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are given, with a sentence on how to get pictures."""
    monkeypatch.setattr("bot.pictures.drawing.can_draw", lambda: False)
    answer = await ask(live, "values of BXD_10001 as csv")

    assert "Mean over strains" in answer.text
    assert "install it with `uv sync --extra charts --inexact`" in answer.text
    assert ["text/csv"] == [one.media_type for one in answer.attachments]
