#!/bin/sh
# The paper's year: physics, the published network, free drainage, twelve segments of 720 h, and their evaluation.
# usage: pearl_river_year.sh DATA_FOLDER OUTPUT_FOLDER
# A run writes timing.json when it has ended; one that was stopped goes on from its last checkpoint.
set -e
data=$(realpath "$1") output=$2
plan=$(dirname "$0")/pearl_river_year.yaml

run() {
    name=$1
    shift
    if [ -e "$output/$name/timing.json" ]; then return; fi
    if ls "$output/$name/checkpoints"/*/ >/dev/null 2>&1; then
        bmi-run --restart "$output/$name"
    else
        bmi-run "$plan" --output "$output/$name" --overwrite --set data="$data" "$@"
    fi
}

run physics --set groundwater.class=bmi_richards:BmiRichards
run published
run free_drainage --set groundwater.class=bmi_richards:BmiRichards --set groundwater.options.richards.mode=free_drainage
for state in "$output/physics/checkpoints"/*T00-00-00; do
    day=$(basename "$state" T00-00-00)
    end=$(date -d "$day + 30 days" +%Y-%m-%d)
    if [ "$end" \> 2020-09-30 ]; then continue; fi
    run "segments/$day" --set time.start="${day}T00:00" --set time.end="${end}T00:00" --set checkpoint=null \
        --set land.options.initial.state="$(realpath "$state")/land.nc" \
        --set groundwater.options.initial.pressure_head.file="$(realpath "$state")/groundwater.nc" \
        --set groundwater.options.initial.pressure_head.variable=soil_water__pressure_head
done
bmi-evaluate "$output/physics" "$output/published" --free-drainage "$output/free_drainage" --threshold water_table=0.5m \
    $(printf -- '--segment %s ' "$output/segments"/*) --output "$output/report" --overwrite
