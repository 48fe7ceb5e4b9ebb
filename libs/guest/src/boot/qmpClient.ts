import { AppError } from '@ascend/errors';
import { openControlSocket, type ControlSocket } from './controlSocket.ts';
import { stateFiles } from './machineSpec.ts';

/** A conversation with one QEMU process. Short: QEMU serves one client at a time, the next one waits. */
export interface QmpClient {
  /**
   * Executes one command and returns what it returned.
   *
   * @throws {AppError} GUEST_MACHINE_COMMAND_REFUSED, GUEST_MACHINE_GONE, GUEST_MACHINE_UNRESPONSIVE
   */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** Time for one conversation: a busy emulated machine answers within seconds. */
const qmpDeadlineMs = 10_000;

function describeRefusal(error: unknown): string {
  const known = typeof error === 'object' && error !== null && 'desc' in error ? error.desc : error;
  return typeof known === 'string' ? known : JSON.stringify(known);
}

async function execute(
  socket: ControlSocket,
  command: string,
  args?: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  socket.send({ execute: command, ...(args === undefined ? {} : { arguments: args }) });
  for (;;) {
    const message = await socket.receive();
    if ('return' in message) return message['return'];
    if ('error' in message) {
      const text = `machine command ${command}: ${describeRefusal(message['error'])}`;
      throw new AppError({ code: 'GUEST_MACHINE_COMMAND_REFUSED', message: text });
    }
  }
}

/**
 * Opens a conversation with the machine of a folder, runs `talk`, closes it.
 *
 * @throws {AppError} GUEST_MACHINE_GONE, GUEST_MACHINE_UNRESPONSIVE, GUEST_MACHINE_COMMAND_REFUSED, OPERATION_CANCELLED
 */
export async function withQmp<T>(
  params: { readonly stateDir: string; readonly deadlineMs?: number; readonly signal?: AbortSignal },
  talk: (client: QmpClient) => Promise<T>,
): Promise<T> {
  const socket = await openControlSocket({
    stateDir: params.stateDir,
    socketName: stateFiles.qmp,
    deadlineMs: params.deadlineMs ?? qmpDeadlineMs,
    ...(params.signal === undefined ? {} : { signal: params.signal }),
  });
  try {
    await socket.receive();
    await execute(socket, 'qmp_capabilities');
    return await talk({ execute: async (command, args) => execute(socket, command, args) });
  } finally {
    socket.close();
  }
}
