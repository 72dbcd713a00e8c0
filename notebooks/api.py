"""用接口取数：各区小学在校生。 Pupils of primary schools by district, asked from a portal that runs."""

import marimo

app = marimo.App(width="medium", app_title="用接口取数 API")

with app.setup:
    import altair as alt
    import httpx
    import marimo as mo
    from edulake_client import Edulake, EdulakeError

    # 先运行 ./edulake serve；有密钥则读其可见范围。 Start the portal first; a key shows what its holder sees.
    PORTAL = "http://127.0.0.1:8090"
    KEY = None
    TABLE = "pub_enrollment_district_year"


@app.cell
def opened():
    lake = Edulake(PORTAL, key=KEY)
    try:
        about = lake.about()
    except (httpx.HTTPError, EdulakeError) as error:
        mo.stop(True, mo.md(f"{PORTAL} 没有应答，请先运行 `./edulake serve`。 Nobody answers: {error}"))
    made_up = "合成数据，并非真实情况。 Synthetic data." if about.synthetic else ""
    mo.md(f"{about.title_zh}，发布版 release {about.release}，{about.as_of_date}。 {made_up}")
    return (lake,)


@app.cell
def asked(lake):
    # 一个会话只读一个发布版，翻页由客户端完成。 A session stays in one release; the client walks its pages.
    pupils = lake.frame(TABLE, unit_level="district", stage_code="primary")
    mo.ui.table(pupils, page_size=8)
    return (pupils,)


@app.cell
def drawn(pupils):
    lines = (
        alt.Chart(pupils)
        .mark_line(point=True)
        .encode(
            x=alt.X("school_year_start:O", title="学年 school year"),
            y=alt.Y("pupil_count:Q", title="在校生 pupils"),
            color=alt.Color("district_name_zh:N", title="区 district"),
        )
    )
    mo.ui.altair_chart(lines)
    return


if __name__ == "__main__":
    app.run()
