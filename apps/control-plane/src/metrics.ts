/** Labels of one series. */
type Labels = Readonly<Record<string, string>>;

/** Counters and gauges of this process, rendered as Prometheus text. */
export interface Metrics {
  /** Adds to a counter; the series comes into being with its first count. */
  count(name: string, labels?: Labels, by?: number): void;
  /** A value read at the time of rendering. Registering a name again replaces its source. */
  gauge(name: string, about: string, read: () => number | Promise<number>): void;
  /** Prometheus text format 0.0.4, series in order of their names. */
  render(): Promise<string>;
}

function escape(value: string): string {
  return value
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}

function seriesKey(name: string, labels: Labels): string {
  const pairs = Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}="${escape(value)}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

/** A registry whose counters are described by `abouts` (name → sentence). */
export function createMetrics(abouts: Readonly<Record<string, string>>): Metrics {
  const counters = new Map<string, Map<string, number>>();
  const gauges = new Map<string, { about: string; read: () => number | Promise<number> }>();
  return {
    count: (name, labels = {}, by = 1) => {
      const series = counters.get(name) ?? new Map<string, number>();
      counters.set(name, series);
      const key = seriesKey(name, labels);
      series.set(key, (series.get(key) ?? 0) + by);
    },
    gauge: (name, about, read) => {
      gauges.set(name, { about, read });
    },
    render: async () => {
      const lines: string[] = [];
      for (const [name, series] of [...counters].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        lines.push(`# HELP ${name} ${abouts[name] ?? name}`, `# TYPE ${name} counter`);
        for (const [key, value] of [...series].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
          lines.push(`${key} ${value}`);
        }
      }
      for (const [name, { about, read }] of gauges) {
        lines.push(`# HELP ${name} ${about}`, `# TYPE ${name} gauge`, `${name} ${await read()}`);
      }
      return `${lines.join('\n')}\n`;
    },
  };
}
