import type { WindowsAgentPackage } from '@ascend/domain';

/** A static address that first boot gives to a network card. Every text was checked to be an address. */
export interface StaticAddress {
  /** Lower case with colons; null = the only network card. */
  readonly mac: string | null;
  /** CIDR notation, IPv4; the first one is the main address. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly dnsServers: readonly string[];
}

/** A package that first boot installs. Name and arguments were checked to be plain. */
export interface AgentInstall {
  /** Below the folder of the system. */
  readonly path: string;
  readonly kind: WindowsAgentPackage['kind'];
  readonly arguments: readonly string[];
}

/** What first boot has to do. Paths are below the folder of the system. */
export interface FirstBootWork {
  readonly infPaths: readonly string[];
  /** Driver files that were put into `System32\\drivers`. */
  readonly driverFiles: readonly string[];
  readonly network: readonly StaticAddress[];
  readonly agents: readonly AgentInstall[];
}

/** Name of the service that runs the script. */
export const firstBootService = 'AscendFirstBoot';
/** Folder of the script below the folder of the system. */
export const firstBootFolder = 'Ascend';
/** Tries in one boot, 30 s apart: network cards appear late. */
const triesPerBoot = 10;
/** After so many boots it gives up and takes itself away. */
const maxBoots = 3;

function maskOf(prefix: number): string {
  const bits = '1'.repeat(prefix).padEnd(32, '0');
  return [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2)).join('.');
}

function netshLines(entry: StaticAddress): readonly string[] {
  const [first, ...others] = entry.addresses.map((text) => {
    const [address = '', prefix = ''] = text.split('/');
    return { address, mask: maskOf(Number(prefix)) };
  });
  if (first === undefined) return [];
  const gateway = entry.gateways[0] === undefined ? 'none' : entry.gateways[0];
  const base = 'netsh interface ipv4';
  return [
    `Invoke-Netsh "${base} set address name=$index static ${first.address} ${first.mask} ${gateway}"`,
    ...others.map((each) => `Invoke-Netsh "${base} add address name=$index ${each.address} ${each.mask}"`),
    ...entry.gateways
      .slice(1)
      .map((each) => `Invoke-Netsh "${base} add address name=$index gateway=${each} gwmetric=2"`),
    ...entry.dnsServers.map((each, place) =>
      place === 0
        ? `Invoke-Netsh "${base} set dnsservers name=$index static ${each} primary validate=no"`
        : `Invoke-Netsh "${base} add dnsservers name=$index ${each} index=${place + 1} validate=no"`,
    ),
  ];
}

/** Finds the card by WMI and sets it by netsh: both are in every Windows from 7 to Server 2025. */
export function networkScript(network: readonly StaticAddress[]): string {
  const lines = [
    '# Written by Ascend. Gives network cards their addresses back after the move to another platform.',
    "$ErrorActionPreference = 'Stop'",
    '$failed = 0',
    'function Invoke-Netsh([string]$line) {',
    '  Write-Output $line',
    '  & cmd.exe /c $line',
    '  if ($LASTEXITCODE -ne 0 -and $line -notmatch " add ") { $script:failed = 1 }',
    '}',
    '$cards = @(Get-WmiObject Win32_NetworkAdapter | Where-Object { $_.MACAddress -and $_.PNPDeviceID -and $_.PNPDeviceID -notmatch "^ROOT" })',
  ];
  for (const entry of network) {
    const filter = entry.mac === null ? '$true' : `$_.MACAddress -eq '${entry.mac.toUpperCase()}'`;
    lines.push(
      `$found = @($cards | Where-Object { ${filter} })`,
      `if ($found.Count -ne 1) { Write-Output "card ${entry.mac ?? '(only one)'}: $($found.Count) found"; $failed = 1 } else {`,
      '  $index = $found[0].InterfaceIndex',
      ...netshLines(entry).map((line) => `  ${line}`),
      '}',
    );
  }
  lines.push('exit $failed', '');
  return lines.join('\r\n');
}

/** How a package is installed without a user and without a restart of its own. */
function installCommand({ path, kind, arguments: words }: AgentInstall): string {
  const file = `"%SystemRoot%\\${path}"`;
  if (kind === 'msi') return `msiexec.exe /i ${file} /qn /norestart`;
  if (kind === 'cab') return `dism.exe /online /add-package /packagepath:${file} /norestart /quiet`;
  return `start "" /wait ${[file, ...words].join(' ')}`;
}

function agentLines(agent: AgentInstall, index: number): readonly string[] {
  const name = agent.path.slice(agent.path.lastIndexOf('\\') + 1);
  const mark = `%folder%\\${name}.done`;
  // A try that failed elsewhere must not install it again. 3010, 1641: done after a restart. 1638: another version is there.
  return [
    `if exist "${mark}" goto after_agent_${index}`,
    `${installCommand(agent)} >>"%log%" 2>&1`,
    'set code=%errorlevel%',
    `echo agent ${name}: %code% >>"%log%"`,
    'set good=0',
    'for %%c in (0 3010 1641 1638) do if "%code%"=="%%c" set good=1',
    `if "%good%"=="1" (echo %code% >"${mark}") else set failed=1`,
    `:after_agent_${index}`,
  ];
}

function workLines(work: FirstBootWork): readonly string[] {
  // 259: no device here needs it. 3010: done after a reboot.
  const drivers = work.infPaths.map((path) => `call :driver "%SystemRoot%\\${path}"`);
  const network =
    work.network.length === 0
      ? []
      : [
          'powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%folder%\\network.ps1" >>"%log%" 2>&1',
          'if errorlevel 1 set failed=1',
        ];
  return [...drivers, ...network, ...work.agents.flatMap(agentLines)];
}

/** The script of the first boot: a bounded number of tries and boots, then it takes its service away. */
export function firstBootScript(work: FirstBootWork): string {
  const lines = [
    '@echo off',
    'rem Written by Ascend. Runs once after the move to another platform, see firstboot.log.',
    'setlocal',
    `set "folder=%SystemRoot%\\${firstBootFolder}"`,
    'set "log=%folder%\\firstboot.log"',
    // Files written from outside belong to nobody in particular: only the system and administrators may change what it runs.
    'icacls.exe "%folder%" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F >>"%log%" 2>&1',
    'if exist "%SystemRoot%\\Drivers\\Ascend" icacls.exe "%SystemRoot%\\Drivers\\Ascend" /reset /T /Q >>"%log%" 2>&1',
    ...work.driverFiles.map(
      (name) => `icacls.exe "%SystemRoot%\\System32\\drivers\\${name}" /reset /Q >>"%log%" 2>&1`,
    ),
    'set boots=0',
    'if exist "%folder%\\boots.txt" set /p boots=<"%folder%\\boots.txt"',
    'set /a boots+=1',
    '>"%folder%\\boots.txt" echo %boots%',
    'echo boot %boots% %date% %time% >>"%log%"',
    `if %boots% gtr ${maxBoots} goto giveup`,
    'set try=0',
    ':again',
    'set /a try+=1',
    'set failed=0',
    ...workLines(work),
    'if "%failed%"=="0" goto done',
    `if %try% geq ${triesPerBoot} exit /b 1`,
    // No `timeout`: it needs a console.
    'ping.exe -n 31 127.0.0.1 >nul',
    'goto again',
    ':driver',
    'pnputil.exe -i -a %1 >>"%log%" 2>&1',
    'set code=%errorlevel%',
    'echo driver %1: %code% >>"%log%"',
    'if not "%code%"=="0" if not "%code%"=="259" if not "%code%"=="3010" set failed=1',
    'exit /b 0',
    ':giveup',
    'echo gave up >>"%log%"',
    ':done',
    `sc.exe delete ${firstBootService} >>"%log%" 2>&1`,
    'echo end >>"%log%"',
    'exit /b 0',
    '',
  ];
  return lines.join('\r\n');
}
