/** Services by which an installed agent is known, by the agent's name. Data of the platforms: no agent is known here. */
export type AgentTable = Readonly<Record<string, readonly string[]>>;

/** The agents of the table among these services, sorted. */
export function agentsOf(table: AgentTable, services: readonly string[]): readonly string[] {
  const present = new Set(services.map((name) => name.toUpperCase()));
  return Object.entries(table)
    .filter(([, names]) => names.some((name) => present.has(name.toUpperCase())))
    .map(([agent]) => agent)
    .toSorted();
}
