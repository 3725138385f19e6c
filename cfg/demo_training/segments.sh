#!/bin/sh
# 720 h with the surrogate from every state that the physics of the test year has left behind.
# usage: segments.sh FOLDER_OF_STATES OUTPUT_FOLDER [--set weights=FOLDER ...]
set -e
states=$1 output=$2
shift 2
for state in "$states"/*T00-00-00; do
    day=$(basename "$state" T00-00-00)
    end=$(date -d "$day + 30 days" +%Y-%m-%d)
    if [ "$end" \> 2022-10-01 ]; then continue; fi
    bmi-run "$(dirname "$0")/hybrid_test_year.yaml" --set state="$(realpath "$state")" --set time.start="${day}T00:00" \
        --set time.end="${end}T00:00" --output "$output/$day" --overwrite "$@"
done
