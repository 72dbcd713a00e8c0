"""报送质量：谁的数据退回最多。 Senders: whose lines are refused most."""

import marimo

app = marimo.App(width="medium", app_title="报送质量 Senders")

with app.setup:
    import altair as alt
    import marimo as mo

    from jobs import origin, settings
    from jobs.publish import release


@app.cell
def opened():
    # 只读连接：只能查询当前发布版。 Read-only: the current release and nothing else.
    site = settings.load()
    current = release.current(site)
    mo.stop(
        current is None, mo.md(f"尚无发布版，请先运行 `{site.command('run')}`。 There is no release yet.")
    )
    connection = release.open_release(current, "city")
    made_up = origin.LINE if current.is_synthetic else ""
    mo.md(f"{site.title_zh}，发布版 release {current.number}，{current.manifest['as_of_date']}。 {made_up}")
    return (connection,)


@app.cell
def ask(connection):
    quality = connection.sql(
        """
        select
            district.district_name_zh as 区, quality.dataset as 数据表,
            sum(quality.line_count)::double as 行数, sum(quality.refused_row_count)::double as 退回行,
            sum(quality.refused_row_count) / nullif(sum(quality.line_count), 0) as 退回比例
        from fct_feed_quality as quality
        inner join dim_district as district on quality.district_code = district.district_code
        group by all
        order by all
        """
    ).df()
    mo.md(
        """
        # 报送质量
        哪些单位、哪些数据表的退回行最多？颜色越深，退回比例越高；空白表示没有报送。

        Refused lines of all lines, by sender's district and dataset.
        """
    )
    return (quality,)


@app.cell
def heat(quality):
    mo.ui.altair_chart(
        alt.Chart(quality)
        .mark_rect()
        .encode(
            x=alt.X("数据表:N", title="数据表 dataset"),
            y=alt.Y("区:N", title="区 district"),
            color=alt.Color("退回比例:Q", scale=alt.Scale(scheme="reds"), legend=alt.Legend(format=".1%")),
            tooltip=["区", "数据表", "行数", "退回行", alt.Tooltip("退回比例:Q", format=".2%")],
        )
    )
    return


@app.cell
def answer(quality):
    worst = quality.sort_values("退回行", ascending=False).head(10)
    share = quality["退回行"].sum() / quality["行数"].sum()
    mo.vstack(
        [
            mo.md(
                f"退回行占 **{share:.2%}**，最多的十项如下。 Of all lines {share:.2%} are refused; the worst:"
            ),
            mo.ui.table(worst, selection=None),
        ]
    )
    return


if __name__ == "__main__":
    app.run()
