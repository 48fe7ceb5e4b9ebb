/** One service of an agent as the guest's init system knows it. */
export interface AgentServiceFacts {
  /** Unit or init script name, e.g. `qemu-guest-agent.service`. */
  readonly name: string;
  /** Unit file or init script, relative to the guest's root. */
  readonly path: string;
  readonly kind: 'systemd' | 'sysv';
  /** `static`: started by something else (udev, a socket), nothing to switch on. */
  readonly state: 'enabled' | 'disabled' | 'masked' | 'static';
  /** Targets of its `[Install]` section, e.g. `multi-user.target`. */
  readonly wantedBy: readonly string[];
}

/** One guest agent that is installed. `services` is empty when only its program was found. */
export interface AgentFacts {
  readonly id: string;
  readonly services: readonly AgentServiceFacts[];
}

/** How cloud-init is set up; facts exist only where it is installed. */
export interface CloudInitFacts {
  readonly disabled: boolean;
  /** The data sources its configuration pins, in order; null = not pinned. */
  readonly datasources: readonly string[] | null;
  /** Its configuration says `network: {config: disabled}`. */
  readonly networkDisabled: boolean;
}

/** Which program reads a network configuration file; `names`: hosts and resolver, which configure no interface. */
export type NetworkStack =
  | 'ifupdown'
  | 'netplan'
  | 'networkmanager'
  | 'networkd'
  | 'ifcfg-redhat'
  | 'ifcfg-suse'
  | 'cloud-init'
  | 'names';

/** One network configuration file of the guest. */
export interface NetworkFileFacts {
  readonly path: string;
  readonly stack: NetworkStack;
  /** IP addresses that stand in it, without prefix: own addresses, gateways, name servers, routes. */
  readonly addresses: readonly string[];
}

/** A name that udev rules of old systems bind to a MAC. */
export interface PersistentNameFacts {
  readonly path: string;
  readonly mac: string;
  readonly name: string;
}

/** A configuration line that keeps a module from loading. */
export interface BlockedModuleFacts {
  readonly path: string;
  readonly module: string;
  /** The line, trimmed. */
  readonly line: string;
}

/** Facts of a Linux guest beyond what every guest has. */
export interface LinuxFacts {
  readonly init: 'systemd' | 'sysv';
  readonly agents: readonly AgentFacts[];
  /** `absent`: no policy is installed. */
  readonly selinux: 'enforcing' | 'permissive' | 'disabled' | 'absent';
  readonly cloudInit: CloudInitFacts | null;
  readonly networkFiles: readonly NetworkFileFacts[];
  readonly persistentNames: readonly PersistentNameFacts[];
  /** A program that asks for addresses by DHCP is installed. */
  readonly dhcpClient: boolean;
  readonly blockedModules: readonly BlockedModuleFacts[];
  /** Caches and maps of device names that are wrong on other hardware, relative to the root. */
  readonly deviceCaches: readonly string[];
  /** Swap of fstab that lies on the disk of the root: devices or files as written. */
  readonly systemDiskSwaps: readonly string[];
  /** The boot commands of the operator on systems without systemd; null = there is no such file. */
  readonly rcLocal: string | null;
}
