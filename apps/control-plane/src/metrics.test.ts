import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('counters add up per label set and gauges are read when rendered', async () => {
  const metrics = createMetrics({ requests_total: 'Requests answered' });
  let online = 1;
  metrics.gauge('agents_online', 'Agents in contact', () => online);
  metrics.count('requests_total', { status: '200', method: 'GET' });
  metrics.count('requests_total', { method: 'GET', status: '200' }, 2);
  metrics.count('requests_total', { method: 'GET', status: '4"4' });
  online = 3;
  expect(await metrics.render()).toBe(
    [
      '# HELP requests_total Requests answered',
      '# TYPE requests_total counter',
      'requests_total{method="GET",status="200"} 3',
      String.raw`requests_total{method="GET",status="4\"4"} 1`,
      '# HELP agents_online Agents in contact',
      '# TYPE agents_online gauge',
      'agents_online 3',
      '',
    ].join('\n'),
  );
});
