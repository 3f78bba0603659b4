import { setTimeout as delay } from "node:timers/promises";

import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

/**
 * Send all spans to OTEL_EXPORTER_OTLP_ENDPOINT, if that is set. What is held is sent by the
 * function that it gives.
 */
export function exportSpans(): () => Promise<void> {
  if (process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] === undefined) return async () => {};
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  return async () => {
    const sent = provider
      .shutdown()
      .catch((error: Error) => console.error(`the last spans were not sent: ${error.message}`));
    // A collector that is down must not hold up the worker's end.
    await Promise.race([sent, delay(2000)]);
  };
}
