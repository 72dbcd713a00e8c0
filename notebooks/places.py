"""学位余缺：哪些区缺、哪些区余。 Places: which districts are short, and which have too many."""

import marimo

app = marimo.App(width="medium", app_title="学位余缺 Places")

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
    query = "select distinct stage_code from fct_places_gap where unit_level = 'district' order by 1"
    stages = [code for (code,) in connection.sql(query).fetchall()]
    first = "primary" if "primary" in stages else stages[0]
    stage = mo.ui.dropdown(stages, value=first, label="学段 stage")
    mo.vstack(
        [
            mo.md(
                """
        # 各区学位余缺
        哪些区小学学位不足？下图为各区预测年份的学位余缺（现有学位加按概率折算的新增学位，减预测人数），
        线段为预测人数的 80% 区间所对应的余缺。

        Places less pupils forecast, by district, with the 80 % interval of the forecast.
        """
            ),
            stage,
        ]
    )
    return (stage,)


@app.cell
def gap(connection, stage):
    gaps = connection.execute(
        """
        select
            district_name_zh as 区, school_year as 学年, surplus_count::double as 余缺,
            (supply_count - upper_80_count)::double as 下限, (supply_count - lower_80_count)::double as 上限
        from fct_places_gap
        where unit_level = 'district' and stage_code = ? and lead_years = 2
        order by surplus_count
        """,
        [stage.value],
    ).df()
    bars = (
        alt.Chart(gaps)
        .mark_bar()
        .encode(
            x=alt.X("余缺:Q", title="余缺（负数为缺） places less pupils"),
            y=alt.Y("区:N", sort=list(gaps["区"])),
            color=alt.condition("datum.余缺 < 0", alt.value("#b2182b"), alt.value("#2166ac")),
            tooltip=["区", "学年", "余缺", "下限", "上限"],
        )
    )
    lines = (
        alt.Chart(gaps).mark_rule().encode(x="下限:Q", x2="上限:Q", y=alt.Y("区:N", sort=list(gaps["区"])))
    )
    mo.ui.altair_chart(bars + lines)
    return (gaps,)


@app.cell
def answer(gaps):
    short = gaps[gaps["余缺"] < 0]
    mo.md(
        f"两年后有 **{len(short)}** 个区学位不足，共缺 **{-short['余缺'].sum():,.0f}** 个。"
        f" {len(short)} districts will be short, by {-short['余缺'].sum():,.0f} places together."
    )
    return


if __name__ == "__main__":
    app.run()
