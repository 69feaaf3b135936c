/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control groups as runtimes name them. */
#include <criterion/criterion.h>

#include "model/container.h"

#define A      "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
#define B      "ec08435e04266c5ba381fccbb829f626d11d8ddf5f8f547263c7a2d79ab4787a"
#define POD    "1fe19bf5-e8ef-11e8-900c-52daee5a874d"
#define POD_   "1fe19bf5_e8ef_11e8_900c_52daee5a874d"
#define TASK   "34dc0b5e626f2c5c4c5170e34b10e765"
#define GARDEN "6f265890-5165-7fab-6b52-18d1"
#define BURST  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice"
#define USER   "/user.slice/user-1000.slice/user@1000.service"

static const struct {
	const char *path, *container;
} paths[] = {
	/* Docker: cgroupfs driver, systemd driver, rootless, another parent, in Docker. */
	{"/docker/" A, A},
	{"/system.slice/docker-" A ".scope", A},
	{USER "/user.slice/docker-" A ".scope", A},
	{"/" A, A},
	{"/docker/" A "/docker/" B, B},
	{"/docker/" A "/system.slice/ssh.service", A},
	{"/docker/" A "/docker", A},
	{"/../docker-" A ".scope", A},
	/* Podman: systemd, rootless with its own group below, cgroupfs, a unit that is split. */
	{"/machine.slice/libpod-" A ".scope", A},
	{USER "/user.slice/libpod-" A ".scope/container", A},
	{"/libpod_parent/libpod-" A, A},
	{"/system.slice/nginx.service/libpod-payload-" A, A},
	{"/machine.slice/machine-libpod_pod_" B ".slice/libpod-" A ".scope", A},
	/* Kubernetes: cgroupfs, systemd, with containerd, CRI-O and Docker. */
	{"/kubepods/besteffort/pod" POD "/" A, A},
	{"/kubepods/pod" POD "/" A, A},
	{"/kubepods/burstable/pod" POD "/" A "/kube-proxy", A},
	{"/kubepods/burstable/pod" POD "/crio-" A, A},
	{BURST "/cri-containerd-" A ".scope", A},
	{BURST "/crio-" A ".scope", A},
	{BURST "/crio-" A ".scope/container", A},
	{BURST "/docker-" A ".scope", A},
	{"/kubelet.slice" BURST "/cri-containerd-" A ".scope", A},
	{"/system.slice/containerd.service/kubepods-burstable-pod" POD_ ".slice:cri-containerd:" A,
	 A},
	/* containerd alone. */
	{"/default/" A, A},
	{"/system.slice/nerdctl-" A ".scope", A},
	/* ECS: on EC2, on Fargate. */
	{"/ecs/55091c13-b8cf-4801-b527-f4601742204d/" A, A},
	{"/ecs/" TASK "/" TASK "-1234567890", TASK "-1234567890"},
	/* LXC, LXD, Proxmox. */
	{"/lxc.payload.web-1", "web-1"},
	{"/lxc.payload.web-1/system.slice/postfix.service", "web-1"},
	{"/lxc.payload.project_web.example", "project_web.example"},
	{"/lxc.payload/web", "web"},
	{"/lxc/101/ns/init.scope", "101"},
	{"/lxc.payload.web-1/system.slice/docker-" A ".scope", A},
	/* machined: nspawn, libvirt-lxc; nspawn as a service. */
	{"/machine.slice/machine-web\\x2d1.scope/payload", "web-1"},
	{"/machine.slice/machine-lxc\\x2d1234\\x2dweb.scope/libvirt", "lxc-1234-web"},
	{"/machine.slice/systemd-nspawn@web\\x2d1.service/payload/init.scope", "web-1"},
	/* What is not whole stays as it is. */
	{"/machine.slice/machine-web\\x2.scope", "web\\x2"},
	{"/machine.slice/machine-web\\x00.scope", "web\\x00"},
	/* Garden of Cloud Foundry. */
	{"/garden/" GARDEN, GARDEN},
	{"/system.slice/garden.service/garden/" GARDEN, GARDEN},
	{"/garden/good/" GARDEN, GARDEN},
	/* No containers. */
	{"", NULL},
	{"/", NULL},
	{"///", NULL},
	{"/init.scope", NULL},
	{"/system.slice/docker.service", NULL},
	{USER "/app.slice/app-org.gnome.Terminal.slice", NULL},
	{"/user.slice/user-1000.slice/session-3.scope", NULL},
	{"/process_api/5f4a6b616f2d874757cd6939724d1c0e", NULL},
	/* Pods and virtual machines. */
	{"/kubepods/besteffort/pod" POD, NULL},
	{BURST, NULL},
	{"/machine.slice/machine-libpod_pod_" A ".slice", NULL},
	{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", NULL},
	/* What watches a container, outside of it. */
	{"/machine.slice/libpod-conmon-" A ".scope", NULL},
	{BURST "/crio-conmon-" A ".scope", NULL},
	{"/kubepods/burstable/pod" POD "/crio-conmon-" A, NULL},
	{"/lxc.monitor.web-1", NULL},
	{"/lxc.monitor/web-1", NULL},
	{"/system.slice/nginx.service/runtime", NULL},
	/* Not ids: too short, not hexadecimal, of upper case, part of a word, another kind of unit.
	 */
	{"/docker/9ec39b91f3d7", NULL},
	{"/docker/x" A, NULL},
	{"/system.slice/" A "-4d.service", NULL},
	{"/system.slice/var-lib-docker-overlay2-" A "-merged.mount", NULL},
	{"/docker/9EC39B91F3D70E1BEFF50A308F77067065EA6BE0D91A3378375056CD4422CF3D", NULL},
	{"/ecs/" TASK, NULL},
	{"/ecs/" TASK "-12a", NULL},
	{"/lxc.payload.", NULL},
	{"/lxc", NULL},
	{"/lxc.payload", NULL},
	{"/garden/bad", NULL},
	{"/machine.slice/machine-.scope", NULL},
};

Test(container, of_a_path)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char id[CONTAINER_ID_SIZE] = "";
		bool found = container_of_path(paths[i].path, id);

		cr_expect_eq(found, paths[i].container != NULL, "%s: %s", paths[i].path, id);
		if (paths[i].container)
			cr_expect_str_eq(id, paths[i].container, "%s: %s", paths[i].path, id);
	}
}

Test(container, of_a_name_that_is_too_long)
{
	char path[CONTAINER_ID_SIZE + 32], id[CONTAINER_ID_SIZE];
	int n = snprintf(path, sizeof(path), "/lxc.payload.");

	memset(path + n, 'x', CONTAINER_ID_SIZE);
	path[n + CONTAINER_ID_SIZE - 1] = '\0';
	cr_expect(container_of_path(path, id));
	cr_expect_eq(strlen(id), CONTAINER_ID_SIZE - 1);
	path[n + CONTAINER_ID_SIZE - 1] = 'x';
	path[n + CONTAINER_ID_SIZE] = '\0';
	cr_expect_not(container_of_path(path, id));
}

static const struct {
	const char *text, *path, *container;
} files[] = {
	/* Version 2 alone. */
	{"0::/system.slice/docker-" A ".scope\n", "/system.slice/docker-" A ".scope", A},
	{"0::/system.slice/ssh.service", "/system.slice/ssh.service", ""},
	{"0::/\n", "/", ""},
	{"0::/system.slice/docker-" A ".scope (deleted)\n", "/system.slice/docker-" A ".scope", A},
	/* Version 1 with systemd, and version 2 beside it. */
	{"4:memory:/\n3:cpu,cpuacct:/user.slice\n1:name=systemd:/user.slice/user-0.slice\n0::/\n",
	 "/user.slice/user-0.slice", ""},
	{"4:memory:/docker/" A "\n1:name=systemd:/docker/" A
	 "\n0::/system.slice/containerd.service\n",
	 "/system.slice/containerd.service", A},
	{"4:memory:/docker/" A "\n1:name=systemd:/\n0::/\n", "/", A},
	/* Of all that tell, version 2 knows best. */
	{"4:memory:/docker/" A "\n0::/docker/" A "/docker/" B "\n", "/docker/" A "/docker/" B, B},
	/* Version 1 alone. */
	{"9:rdma:/\n8:pids:/lxc/web\n7:cpu:/other\n", "/lxc/web", "web"},
	{"11:devices:/\n10:memory:/\n", "/", ""},
	/* Colons in a path. */
	{"12:cpu:/kubepods-pod" POD_ ".slice:cri-containerd:" A "\n",
	 "/kubepods-pod" POD_ ".slice:cri-containerd:" A, A},
	/* Not as the kernel writes. */
	{"", "", ""},
	{"\n\n", "", ""},
	{"0::\n0\n0:\n::docker/" A "\n", "", ""},
};

Test(container, of_a_file)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *text = strdup(files[i].text);
		struct cgroup_place place;

		cgroup_parse(text, &place);
		cr_expect_str_eq(place.path, files[i].path, "%zu: %s", i, place.path);
		cr_expect_str_eq(place.container, files[i].container, "%zu: %s", i,
				 place.container);
		free(text);
	}
}

Test(container, number_in_a_namespace)
{
	cr_expect_eq(ns_pid_parse("Name:\tsh\nNSpid:\t4711\t7\nNSpgid:\t4711\t7\n"), 7);
	cr_expect_eq(ns_pid_parse("Name:\tsh\nNSpid:\t4711\t31\t1\n"), 1);
	cr_expect_eq(ns_pid_parse("Name:\tsh\nNSpid:\t4711 7"), 7);
	/* In the namespace that /proc is of; of a kernel without them; not a number. */
	cr_expect_eq(ns_pid_parse("Name:\tsh\nNSpid:\t4711\nNSpgid:\t4711\n"), 0);
	cr_expect_eq(ns_pid_parse("Name:\tNSpid: 1 2\nPid:\t4711\n"), 0);
	cr_expect_eq(ns_pid_parse("Name:\tsh\nNSpid:\t4711\t99999999999\n"), 0);
	cr_expect_eq(ns_pid_parse("Name:\tsh\nNSpid:"), 0);
}

Test(container, as_users_name_it)
{
	cr_expect(container_matches(A, A));
	cr_expect(container_matches("9ec39*", A));
	cr_expect(container_matches("*", A));
	cr_expect(container_matches("web-?", "web-1"));
	/* As docker ps shows it; fewer digits might be another's. */
	cr_expect(container_matches("9ec39b91f3d7", A));
	cr_expect_not(container_matches("9ec39b91f3d", A));
	cr_expect_not(container_matches("9ec39b91f3d8", A));
	/* Names are not cut short. */
	cr_expect_not(container_matches("abcdefabcdef", "abcdefabcdef-1"));
	cr_expect_not(container_matches("web", "web-1"));
	cr_expect_not(container_matches("*", ""));
	cr_expect_not(container_matches("", ""));
}
