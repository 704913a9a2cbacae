import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { RequestError, serverFailures } from '../wire/errors.ts';
import type { Traces } from './traces.ts';

/**
 * Opens traces that are sent to an OpenTelemetry collector in batches. A batch that fails is dropped. The environment
 * variables `OTEL_EXPORTER_OTLP_…`, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` also apply.
 * @param options.to the address of the collector, without the path of the traces
 * @param options.onFailure called when a batch fails
 */
export function openTraces({
  to,
  node,
  version,
  onFailure,
}: {
  to: string;
  node: string;
  version: string;
  onFailure: (error: Error) => void;
}): Traces {
  const collector = new OTLPTraceExporter({ url: `${to}/v1/traces` });
  const exporter: SpanExporter = {
    export(spans, done) {
      collector.export(spans, (result) => {
        if (result.error !== undefined) onFailure(result.error);
        done(result);
      });
    },
    shutdown: () => collector.shutdown(),
  };
  const own = { 'service.name': 'php-session-chat', 'service.version': version, 'service.instance.id': node };
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes(own))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('php-session-chat', version);
  const around = new AsyncLocalStorage<Span>();

  async function within<T>(
    span: Span,
    work: () => Promise<T>,
    codeOf?: (result: T) => string | undefined,
  ): Promise<T> {
    const ended = (code: string | undefined) => {
      if (code !== undefined) span.setAttribute('error.type', code);
      if (code !== undefined && serverFailures.has(code)) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    };
    try {
      const result = await around.run(span, work);
      ended(codeOf?.(result));
      return result;
    } catch (error) {
      ended(error instanceof RequestError ? error.code : 'internal');
      throw error;
    }
  }

  return {
    begin: (name, work, codeOf) =>
      within(tracer.startSpan(name, { kind: SpanKind.SERVER }, ROOT_CONTEXT), work, codeOf),
    below(name, work) {
      const parent = around.getStore();
      if (parent === undefined) return work();
      const span = tracer.startSpan(name, { kind: SpanKind.CLIENT }, trace.setSpan(ROOT_CONTEXT, parent));
      return within(span, work);
    },
    async close(ms) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
      await Promise.race([provider.shutdown().catch(onFailure), late]);
    },
  };
}
