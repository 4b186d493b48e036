/** The need: figures for operators. Names and labels stand in one table, from which dashboards and alerts are checked. */
export const METRICS = {
  earshot_webhook_requests_total: { kind: 'counter', labels: ['route', 'type', 'code'], help: 'Deliveries answered, by HTTP status.' },
  earshot_webhook_duration_seconds: { kind: 'histogram', labels: ['route'], help: 'From the last byte of a delivery to its answer.' },
  earshot_log_append_seconds: { kind: 'histogram', labels: [], help: 'From asking for an append to its commit.' },
  earshot_log_append_failures_total: { kind: 'counter', labels: [], help: 'Appends that did not commit.' },
  earshot_log_read_seconds: { kind: 'histogram', labels: ['kind'], help: 'Reads of the log.' },
  earshot_connections: { kind: 'gauge', labels: [], help: 'WebSocket sessions now.' },
  earshot_connections_opened_total: { kind: 'counter', labels: [], help: 'WebSocket sessions opened.' },
  earshot_connections_closed_total: { kind: 'counter', labels: ['code'], help: 'WebSocket sessions closed, by close code.' },
  earshot_connection_duration_seconds: { kind: 'histogram', labels: [], help: 'How long sessions lasted.' },
  earshot_deliveries_total: { kind: 'counter', labels: [], help: 'Event frames written to viewers.' },
  earshot_deliveries_failed_total: { kind: 'counter', labels: [], help: 'Sessions cut with events still to be delivered.' },
  earshot_delivery_delay_seconds: { kind: 'histogram', labels: [], help: 'From commit to the write to a viewer, for events that came over the bus.' },
  earshot_event_loop_delay_seconds: { kind: 'gauge', labels: ['quantile'], help: 'Delay of the event loop since the last reading.' },
  earshot_quarantine_size: { kind: 'gauge', labels: [], help: 'Deliveries in quarantine.' },
  earshot_verified_age_seconds: { kind: 'gauge', labels: [], help: 'How long ago this relay last compared all that it serves with the log. Past 15 s every screen says so.' },
  earshot_gaps_filled_total: { kind: 'counter', labels: [], help: 'Gaps in what the bus brought, filled from the log.' },
  earshot_history_lost_total: { kind: 'counter', labels: [], help: 'Times a viewer was told that history is lost.' },
  earshot_reconciler_additions_total: { kind: 'counter', labels: ['what'], help: 'Calls found, finished or settled by the reconciler first. Finished ones mean that webhooks are silent.' },
  earshot_calls_stuck: { kind: 'gauge', labels: ['what'], help: 'Calls that do not go on by themselves: unknown (a dial that nobody answered for), needs_person (nobody ever will), overdue (silent for longer than a call can be).' },
  earshot_provider_webhook_ok: { kind: 'gauge', labels: ['workspace'], help: 'Whether the provider still sends its webhook here: 1, or 0 where it is switched off or missing. Not written where the key may not read it.' },
  earshot_dials_total: { kind: 'counter', labels: ['result'], help: 'Dials by how the provider answered.' },
} as const satisfies Record<string, { kind: 'counter' | 'gauge' | 'histogram'; labels: readonly string[]; help: string }>;

export type MetricName = keyof typeof METRICS;
type NameOf<K extends 'counter' | 'gauge' | 'histogram'> = { [N in MetricName]: (typeof METRICS)[N]['kind'] extends K ? N : never }[MetricName];
type LabelsOf<N extends MetricName> = Record<(typeof METRICS)[N]['labels'][number], string>;

export interface Metrics {
  count<N extends NameOf<'counter'>>(name: N, labels: LabelsOf<N>, by?: number): void;
  set<N extends NameOf<'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Seconds. */
  observe<N extends NameOf<'histogram'>>(name: N, labels: LabelsOf<N>, seconds: number): void;
  /** The Prometheus text of everything. */
  text(): Promise<string>;
}
