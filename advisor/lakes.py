"""The bar lake that bars are added to: a folder, or a place in an S3 bucket."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs

from advisor.settings import Settings
from quant_core.bars import BarSeries
from tools.aws.objects import Objects
from tools.market.buckets import in_bucket
from tools.market.lake import Imported, Timeframe, import_bars
from tools.market.lake_in_bucket import import_into_bucket


class Add(Protocol):
    """Adds bars to a lake, symbol by symbol."""

    def __call__(self, bars: Iterable[BarSeries], timeframe: Timeframe) -> list[Imported]:
        """What became of each symbol's bars."""
        ...


def open_lake(lake: Path, settings: Settings) -> Add:
    """A lake to add to; its place is written as it is for reading (`tools.market.buckets`)."""
    if not in_bucket(lake):
        return partial(import_bars, lake)
    return partial(import_into_bucket, bucket_of(lake, settings))


def bucket_of(lake: Path, settings: Settings) -> Objects:
    """The place in a bucket that a lake is."""
    place, _, query = str(lake).partition("?")
    said = parse_qs(query)
    access = settings.aws
    if "endpoint_override" in said:
        scheme = said.get("scheme", ["https"])[0]
        access = replace(access, endpoint_url=f"{scheme}://{said['endpoint_override'][0]}")
    if "region" in said:
        access = replace(access, region=said["region"][0])
    return Objects(place, access)


def bars_of(lake: Path, timeframe: Timeframe) -> str:
    """What to say to `--bars` to read a lake's bars."""
    if not in_bucket(lake):
        return str(lake / f"timeframe={timeframe}")
    place, mark, query = str(lake).partition("?")
    shown = place.replace("s3:/", "s3://", 1)
    return f"{shown}/timeframe={timeframe}{mark}{query}"
