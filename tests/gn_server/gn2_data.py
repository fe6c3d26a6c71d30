"""GN2's calls for data and what is computed from them: values, genotypes, mapping, correlation."""

from __future__ import annotations

import math

from aiohttp import web

from tests.gn_server.answers import ServerError, as_json, body_error
from tests.gn_server.genetics import rank_correlation
from tests.gn_server.gn2_parts import Plain, name_of, number_or_text, public_row
from tests.gn_server.world import World


class Gn2Data:
    """The handlers.

    Args:
        world: What they answer from.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def table(self) -> dict[str, Plain]:
        """Return all addresses, below /api/v_pre1."""
        return {
            "/sample_data/{dataset}": self._matrix,
            "/sample_data/{dataset}/{trait:.+}": self._sample_data,
            "/genotypes/view/{group}": self._genotype_files,
            "/genotypes/{group}": self._genotypes,
            "/mapping": self._mapping,
            "/correlation": self._correlation,
        }

    def _sample_data(self, request: web.Request) -> web.Response:
        row = self._world.find_dataset(name_of(request, "dataset"))
        if row is None:
            raise ServerError
        trait = self._world.find_trait(row, name_of(request, "trait"))
        if trait is None:
            return body_error("sample_data/<path:dataset_name>/<path:trait_name>")
        rows: list[dict[str, object]] = []
        for sample, (value, error, cases) in trait.values.items():
            item: dict[str, object] = {
                "data_id": trait.id,
                "sample_name": sample,
                "sample_name_2": sample,
                "value": value,
            }
            if error:
                item["se"] = error
            if cases and row.kind == "phenotype":
                item["n_cases"] = cases
            rows.append(item)
        return as_json(rows) if rows else body_error("sample_data/<path:dataset_name>/<path:trait_name>")

    def _matrix(self, request: web.Request) -> web.Response:
        if not request.match_info["dataset"].endswith(".csv"):
            return body_error(
                "sample_data/<path:dataset_name>.<path:file_format>", status=415, title="Unsupported file format"
            )
        row = public_row(self._world, name_of(request, "dataset"))
        if row is None:
            return body_error("sample_data/<path:dataset_name>.<path:file_format>")
        group = self._world.group_of(row)
        code = f"{group.code}_" if row.kind == "phenotype" else ""
        lines = [",".join(["id", *(code + one.name for one in row.traits)])]
        for sample in group.samples:
            cells = [str(one.values[sample][0]) if sample in one.values else "x" for one in row.traits]
            lines.append(",".join([sample, *cells]))
        return web.Response(text="\n".join(lines), content_type="text/csv")

    def _genotype_files(self, request: web.Request) -> web.Response:
        group = self._world.find_group(request.match_info["group"])
        if group is None or group.name != request.match_info["group"]:
            raise ServerError
        file = {"title": "WGS-based (Mar2022)", "location": f"{group.name}.8.geno", "sample_list": list(group.samples)}
        return as_json({"mat": group.parents[0], "pat": group.parents[1], "f1s": ["B6D2F1"], "genofile": [file]})

    def _genotypes(self, request: web.Request) -> web.Response:
        name, _, form = request.match_info["group"].rpartition(".")
        group = self._world.find_group(name)
        if group is None or group.name != name or form not in {"geno", "csv"}:
            raise ServerError
        letters = {-1: "B", 0: "H", 1: "D"}
        lines = [f"@name:{group.name}", f"@type:{group.genetic_type}", "@mat:B", "@pat:D", "@het:H", "@unk:U"]
        lines.append("\t".join(["Chr", "Locus", "cM", "Mb", *group.samples]))
        for marker in self._world.markers[group.name][: int(request.query.get("limit_to", "1000000"))]:
            row = [
                marker.chr,
                marker.name,
                f"{marker.mb / 2:.2f}",
                str(marker.mb),
                *(letters[one] for one in marker.alleles),
            ]
            lines.append("\t".join(row))
        return web.Response(text="\n".join(lines), content_type="text/plain")

    def _mapping(self, request: web.Request) -> web.Response:
        query = request.query
        row = self._world.find_dataset(query.get("db", ""))
        trait = self._world.find_trait(row, query.get("trait_id", "")) if row else None
        if row is None or trait is None:
            raise ServerError
        if query.get("format", "json") not in {"json", "csv"}:
            return body_error("mapping", status=415, title="Unsupported Format")
        method = query.get("method", "gemma")
        if method not in {"gemma", "rqtl"}:
            raise ServerError
        if len(trait.values) < 5:
            # GEMMA wrote no output.
            return as_json([{}, "BXD_GWA_NOTHING"] if method == "gemma" else [])
        scan = self._world.scan(row, trait)
        rows: list[dict[str, object]] = []
        for place, marker in enumerate(scan.markers[: int(query.get("limit_to", "1000000"))]):
            chromosome: int | str = int(marker.chr) if marker.chr.isdigit() else marker.chr
            item: dict[str, object] = {
                "Mb": marker.mb,
                "chr": chromosome,
                "lod_score": float(scan.lod[place]),
                "name": marker.name,
            }
            if method == "rqtl":
                rows.append(item | {"cM": marker.mb})
            else:
                p_value = scan.p_value(place)
                # GN2 calls -log10 p of GEMMA a LOD score, as its documented example shows: 0.0605538 beside 0.8698536.
                effect = {"lod_score": -math.log10(max(p_value, 1e-300)), "p_value": p_value}
                rows.append(item | effect | {"additive": float(scan.additive[place])})
        return as_json(rows if method == "rqtl" else [rows, f"{row.group}_GWA_ABC123"])

    def _correlation(self, request: web.Request) -> web.Response:
        query = request.query
        row = self._world.find_dataset(query.get("db", ""))
        target = self._world.find_dataset(query.get("target_db", ""))
        trait = self._world.find_trait(row, query.get("trait_id", "")) if row else None
        count = query.get("return_count", "500")
        if row is None or target is None or trait is None or not count.isdigit():
            raise ServerError
        found: list[dict[str, object]] = []
        for other in target.traits:
            pair = rank_correlation(trait, other)
            if pair is None:
                continue
            item: dict[str, object] = {
                "#_strains": pair[2],
                "p_value": pair[1],
                "sample_r": pair[0],
                # The older releases send numbers here.
                "trait": number_or_text(other.name),
            }
            if query.get("type") == "tissue":
                item["symbol"] = other.symbol
            found.append(item)
        found.sort(key=lambda item: -abs(float(str(item["sample_r"]))))
        return as_json(found[: int(count)])
