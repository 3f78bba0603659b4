"""A FastAPI application with a producer that lives as long as the application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request

from rrq import RRQClient
from rrq.config import load_toml_settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for all requests, closed when the application stops."""
    async with RRQClient(load_toml_settings()) as client:
        app.state.rrq = client
        yield


app = FastAPI(lifespan=lifespan)


def producer(request: Request) -> RRQClient:
    """The application's client."""
    return request.app.state.rrq  # type: ignore[no-any-return]


Producer = Annotated[RRQClient, Depends(producer)]


@app.post("/orders/{order}", status_code=202)
async def place_order(order: str, client: Producer) -> dict[str, str]:
    """Take the order; the receipt is sent by a worker."""
    job = await client.enqueue("send_receipt", order, _unique_key=f"receipt:{order}")
    if job is None:
        raise HTTPException(409, "Its receipt is being sent.")
    return {"job": job.id}


@app.get("/jobs/{job_id}")
async def show_job(job_id: str, client: Producer) -> dict[str, Any]:
    """What has become of it."""
    job = await client.get_job(job_id)
    if job is None:
        raise HTTPException(404, "There is no such job.")
    return {"status": job.status.value, "result": job.result}
