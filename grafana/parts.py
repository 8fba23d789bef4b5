"""What the panels are made of: a graph as we draw all of them, queries, limits, axes."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ScaleDistributionConfig,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import (
    DatasourceVariable,
    FieldColor,
    QueryVariable,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

DATASOURCE = "datasource"
PROMETHEUS = DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")
WIDTH, HEIGHT = 12, 8  # of a panel, on Grafana's grid of 24: two columns

# Prometheus scrapes and evaluates that often. As the least step of every query it also makes $__rate_interval
# 20 s when zoomed in, whatever the data source says that its scrape interval is (if nothing: 15 s, so 60 s).
STEP = "5s"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL.
        legend: name of its series; ``{{label}}`` in it is that label's value.
        override: Grafana's field options for its series alone, such as ``{"custom.lineWidth": 2}``.
    """

    expr: str
    legend: str
    override: Mapping[str, object] = field(default_factory=dict)


def graph(title: str, description: str, unit: str, queries: Sequence[Query]) -> Panel:
    """Return a time series panel, as all of them are drawn.

    Args:
        title: of the panel.
        description: what a reader has to know to read it; shown on its (i).
        unit: Grafana's id of it, such as ``"s"``.
        queries: in the order of their colours; their refIds are A, B, …
    """
    panel = (
        Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .span(WIDTH)
        .height(HEIGHT)
        .unit(unit)
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .legend(
            VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for ref, query in zip(string.ascii_uppercase, queries, strict=False):
        panel.with_target(
            Dataquery()
            .datasource(PROMETHEUS)
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(ref)
            .interval(STEP)
            .format(PromQueryFormat.TIME_SERIES)
            .editor_mode(QueryEditorMode.CODE)
            .range()
        )
        if query.override:
            properties = [DynamicConfigValue(key, value) for key, value in query.override.items()]
            panel.override_by_query(ref, properties)
    return panel


def limits(panel: Panel, lines: Mapping[float, str]) -> Panel:
    """Draw horizontal lines: value to colour, ascending."""
    steps = [Threshold(None, "green"), *(Threshold(value, color) for value, color in lines.items())]
    return panel.thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)).thresholds_style(
        GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.LINE)
    )


def logarithmic(panel: Panel, top: float) -> Panel:
    """Give the axis decades, up to ``top`` whatever the data: limits far above a good system's values show.

    Grafana ignores soft bounds on such an axis, so ``top`` is a hard one: nothing above it is drawn.
    """
    scale = ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10)
    return panel.scale_distribution(scale).max(top)


def stacked(panel: Panel) -> Panel:
    """Stack the series on each other."""
    stacking = StackingConfig().mode(StackingMode.NORMAL).group("A")
    return panel.stacking(stacking).fill_opacity(60).axis_soft_min(0)


def axis(placement: AxisPlacement, unit: str, label: str, **more: object) -> dict[str, object]:
    """Return the override that puts a query's series on an axis of their own.

    Series share an axis only if all of this is the same for them.
    """
    return {
        "unit": unit,
        "custom.axisPlacement": placement.value,
        "custom.axisLabel": label,
        "custom.axisSoftMin": 0,
        **more,
    }


def datasource_variable() -> DatasourceVariable:
    """Let the reader choose among Grafana's Prometheus data sources; at first it is the first of them."""
    return (
        DatasourceVariable(DATASOURCE)
        .id(DATASOURCE)
        .label("Prometheus")
        .type("prometheus")
        .regex("")
        .current(VariableOption(text="", value=""))
    )


def label_variable(name: str, label: str, metric: str, description: str) -> QueryVariable:
    """Let the reader choose among the values of a metric's label ``name``; all of them at first.

    Grafana 10 keeps variables by id, and the builder gives all the same: each would replace the one before.
    """
    return (
        QueryVariable(name)
        .id(name)
        .label(label)
        .description(description)
        .datasource(PROMETHEUS)
        .query(f"label_values({metric}, {name})")
        .regex("")
        .options([])
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
