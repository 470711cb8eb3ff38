# SPDX-License-Identifier: Apache-2.0
# Completion of zhouyi-cli for bash.

_zhouyi_cli_kept()
{
	local args=() i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == --socket ]] && args=(--socket "${COMP_WORDS[i + 1]}")
	done
	zhouyi-cli "${args[@]}" models --json 2>/dev/null |
		sed -n 's/^ *"name": "\(..*\)",*$/\1/p'
}

# What was typed so far, after an option that takes a value.
_zhouyi_cli_value()
{
	local cur=$2
	case $1 in
	--priority) mapfile -t COMPREPLY < <(compgen -W 'realtime interactive normal background' -- "$cur") ;;
	--socket | --labels | --output | -o) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--policy) mapfile -t COMPREPLY < <(compgen -W 'zhouyi fifo round-robin drain all' -- "$cur") ;;
	--uid) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	--gid) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;
	--unit | --slice) ;;
	--sort) mapfile -t COMPREPLY < <(compgen -W 'time queue name' -- "$cur") ;;
	--drop) mapfile -t COMPREPLY < <(compgen -W 'latest queue: block block:' -- "$cur") ;;
	--top | --repeat | --timeout | --core-mask | --cores | --name | --deadline | --period | --budget | --jitter | --frames | --seconds | --seed | --duration | --delay | --count | -d | -n) ;;
	*) return 1 ;;
	esac
}

_zhouyi_cli()
{
	local cur=$2 prev=$3 command= options='--socket --json --quiet --help' i
	COMPREPLY=()
	_zhouyi_cli_value "$prev" "$cur" && return
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $command in
	'') options+=' --version infer stream reserve explain plan accounts load unload models status health top device metrics whoami policy inspect record simulate version help' ;;
	infer) options+=' --output --labels --top --repeat --priority --deadline --core-mask --cores --timeout' ;;
	stream) options+=' --period --frames --priority --deadline --core-mask --drop --reserve --budget --jitter' ;;
	reserve) options+=' --probe --period --deadline --budget --jitter --core-mask' ;;
	load) options+=' --name' ;;
	health) options+=' --timeout' ;;
	top) options+=' --delay --count --batch --sort' ;;
	policy) options+=' --uid --gid --unit --slice' ;;
	inspect) options+=' --instructions' ;;
	record) options+=' --output --seconds' ;;
	simulate) options+=' --policy --seed --duration --markdown' ;;
	help) options='infer stream reserve explain plan accounts load unload models status health top device metrics whoami policy inspect record simulate version help' ;;
	esac
	if [[ $cur == -* || -z $command || $command == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	infer | stream | reserve) mapfile -t COMPREPLY < <(compgen -f -- "$cur"; compgen -W "$(_zhouyi_cli_kept)" -- "$cur") ;;
	policy) mapfile -t COMPREPLY < <(compgen -W 'test load load-native infer reserve admin' -- "$cur") ;;
	unload) mapfile -t COMPREPLY < <(compgen -W "$(_zhouyi_cli_kept)" -- "$cur") ;;
	load | inspect | simulate | metrics) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}

complete -o filenames -F _zhouyi_cli zhouyi-cli
